/** What the window shows while a core takes long to open a library: there is no server yet that could send a page. */

/** An address that is its own page, without scripts. */
export function waitingPage(library: string): string {
  const name = library.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const html = `<!doctype html><meta charset="utf-8"><title>Dinoscope</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
  :root { color-scheme: light dark; font: 15px system-ui, sans-serif; }
  body { display: grid; place-content: center; height: 100vh; margin: 0; text-align: center; background: #ececed; color: #333; }
  p { margin: 6px; } small { opacity: 0.7; }
  @media (prefers-color-scheme: dark) { body { background: #0f0f10; color: #ccc; } }
</style>
<p>Opening “${name}” …</p>
<p><small>A large library takes a while after an update.</small></p>`;
  return `data:text/html;charset=utf-8,${encodeURIComponent(html)}`;
}
