/** What pages may not do: permissions, navigation, windows, web views. Set up before any page exists. */
import type * as Electron from "electron";

/** Pages of others that may be opened, in the system's browser. A prefix would also match `https://arxiv.org.evil`. */
export const externalPages: readonly string[] = [
  "https://arxiv.org/abs/2104.14294",
  "https://github.com/facebookresearch/dino",
];

type Parts = Pick<typeof Electron, "app" | "session" | "shell">;

/** Locks every page to the core's origin, which is null before the first start. */
export function lockDown({ app, session, shell }: Parts, ownOrigin: () => string | null): void {
  const pages = session.defaultSession;
  // Electron grants what nobody refuses, and asks these three at different times.
  pages.setPermissionRequestHandler((_contents, _permission, answer) => answer(false));
  pages.setPermissionCheckHandler(() => false);
  pages.setDevicePermissionHandler(() => false);
  // The page's policy (CSP) says the same; this holds also where a page has none.
  pages.webRequest.onBeforeRequest(({ url }, answer) => answer({ cancel: !mayRequest(url, ownOrigin()) }));
  // Clicking a link that downloads would write a file where a page wants it.
  pages.on("will-download", (event) => event.preventDefault());
  app.on("web-contents-created", (_event, contents) => {
    const stay = (event: Electron.Event<{ url: string }>): void => {
      if (!isOwn(event.url, ownOrigin())) event.preventDefault();
    };
    contents.on("will-navigate", stay);
    contents.on("will-frame-navigate", stay);
    contents.on("will-redirect", stay);
    contents.on("will-attach-webview", (event) => event.preventDefault());
    contents.setWindowOpenHandler(({ url }) => {
      if (externalPages.includes(url)) void shell.openExternal(url);
      return { action: "deny" };
    });
  });
}

/** Whether an address is the core's. */
export function isOwn(url: string, origin: string | null): boolean {
  return origin !== null && URL.parse(url)?.origin === origin;
}

/** Whether a page may ask for something: of the core, or of itself (`blob:`, `data:`), and the developer tools of theirs. */
export function mayRequest(url: string, origin: string | null): boolean {
  const asked = URL.parse(url);
  if (asked === null) return false;
  if (["blob:", "data:", "devtools:"].includes(asked.protocol)) return true;
  return origin !== null && ["http:", "ws:"].includes(asked.protocol) && asked.host === new URL(origin).host;
}
