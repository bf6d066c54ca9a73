/** Headers of every answer: the page may load only what it came with, and nobody may frame or embed it. */

const contentSecurity = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "connect-src 'self'",
  "worker-src 'self' blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** For the page and everything that it loads. */
export const pageHeaders: Readonly<Record<string, string>> = {
  "Content-Security-Policy": contentSecurity,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "camera=(), microphone=(), geolocation=(), usb=(), serial=(), hid=(), payment=()",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-store",
};

/** For bytes that others made: a picture opened by itself is only ever a picture. */
export const foreignHeaders: Readonly<Record<string, string>> = {
  ...pageHeaders,
  "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
};
