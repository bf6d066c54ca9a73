/**
 * A stand-in for `electron` in plain Node. Every member is checked against Electron's own declarations by the compiler,
 * and reading one that is not here throws, so that nothing is used that no test has seen.
 */
import { EventEmitter } from "node:events";
import type * as Electron from "electron";
import type { Parts } from "../../electron/desktop.ts";

/** What a test listens to web requests with, as main gave it. */
type BeforeRequest = (
  details: Electron.OnBeforeRequestListenerDetails,
  answer: (response: Electron.CallbackResponse) => void,
) => void;

/** An object of Electron's type that has these members and refuses all others. */
export function refuseUnknown<Whole extends object>(name: string, members: Partial<Whole>): Whole {
  return new Proxy(members, {
    get: (target, property) => {
      if (property in target) return Reflect.get(target, property) as unknown;
      // `await` asks every object for `then`, and printing asks for symbols.
      if (typeof property === "symbol" || property === "then" || property === "toJSON") return undefined;
      throw new Error(`The fake has no ${name}.${property}.`);
    },
  }) as Whole;
}

/** `on`, `once` and `off` as Electron types them: dozens of overloads, which an emitter serves all alike. */
function listening<Whole extends { on: unknown; once: unknown; off: unknown }>(
  emitter: EventEmitter,
): Pick<Whole, "on" | "once" | "off"> {
  return {
    on: emitter.on.bind(emitter),
    once: emitter.once.bind(emitter),
    off: emitter.off.bind(emitter),
  };
}

/** What happened in the fake, for a test to look at. */
export type Happening =
  | { readonly kind: "load"; readonly url: string }
  /** A page that main made itself, while there is no core. */
  | { readonly kind: "waiting"; readonly url: string }
  | { readonly kind: "title"; readonly title: string }
  | { readonly kind: "cookie"; readonly cookie: Electron.CookiesSetDetails }
  | { readonly kind: "cookie-removed"; readonly url: string; readonly name: string }
  | { readonly kind: "message-box"; readonly options: Electron.MessageBoxOptions }
  | { readonly kind: "open-dialog"; readonly options: Electron.OpenDialogOptions }
  | { readonly kind: "shown-in-folder"; readonly path: string }
  | { readonly kind: "opened-outside"; readonly url: string }
  | { readonly kind: "progress"; readonly value: number }
  | { readonly kind: "notice"; readonly options: Electron.NotificationConstructorOptions }
  | { readonly kind: "blocker"; readonly on: boolean }
  | { readonly kind: "menu"; readonly template: readonly Electron.MenuItemConstructorOptions[] }
  | { readonly kind: "context-menu"; readonly template: readonly Electron.MenuItemConstructorOptions[] }
  | { readonly kind: "about"; readonly options: Electron.AboutPanelOptionsOptions }
  /** What was done with a window: shown, focused, maximized, restored from the dock. */
  | { readonly kind: "window"; readonly act: string }
  | { readonly kind: "background"; readonly colour: string }
  | { readonly kind: "quit" };

export interface FakeOptions {
  readonly appPath: string;
  /** Folders by Electron's names for them: `userData`, `logs`, `documents`. */
  readonly paths: Readonly<Record<string, string>>;
  readonly isPackaged?: boolean;
  readonly dark?: boolean;
  /** Free areas of the displays; one of 1920 by 1080 unless given. */
  readonly displays?: readonly Electron.Rectangle[];
  /** Whether another instance runs already. */
  readonly second?: boolean;
  /** What the user answers; by default the first button, and no file. */
  readonly answer?: (options: Electron.MessageBoxOptions) => number;
  readonly choose?: (options: Electron.OpenDialogOptions) => string | null;
  readonly onHappening?: (happening: Happening) => void;
}

export interface FakeWindow {
  readonly options: Electron.BrowserWindowConstructorOptions;
  readonly events: EventEmitter;
  readonly contents: EventEmitter;
  readonly window: Electron.BrowserWindow;
  openHandler: ((details: Electron.HandlerDetails) => Electron.WindowOpenHandlerResponse) | undefined;
  focused: boolean;
  shown: boolean;
  minimized: boolean;
  maximized: boolean;
  /** Where it is, as a person may have moved it. */
  bounds: Electron.Rectangle;
}

type Preload = Pick<typeof Electron, "contextBridge" | "ipcRenderer" | "webUtils">;
type Handler = (event: Electron.IpcMainInvokeEvent, ...args: unknown[]) => unknown;

export interface FakeElectron {
  readonly electron: Parts & Preload;
  readonly happenings: readonly Happening[];
  readonly appEvents: EventEmitter;
  /** Plays the system changing between dark and light. */
  setDark(dark: boolean): void;
  readonly windows: readonly FakeWindow[];
  /** What was asked of the session. */
  readonly locks: {
    sandboxed: boolean;
    request?: Parameters<Electron.Session["setPermissionRequestHandler"]>[0];
    check?: Parameters<Electron.Session["setPermissionCheckHandler"]>[0];
    device?: Parameters<Electron.Session["setDevicePermissionHandler"]>[0];
    beforeRequest?: BeforeRequest;
    readonly downloads: EventEmitter;
  };
  readonly channels: ReadonlyMap<string, Handler>;
  /** What the preload script put into the page. */
  readonly exposed: Readonly<Record<string, unknown>>;
  /** Calls main as a frame would; arguments and results are cloned as they are between processes. */
  invoke(
    frame: Pick<Electron.WebFrameMain, "url" | "parent"> | null,
    channel: string,
    ...args: unknown[]
  ): Promise<unknown>;
}

/** Makes an Electron that is ready, with nothing opened. */
export function createFakeElectron(options: FakeOptions): FakeElectron {
  const happenings: Happening[] = [];
  const happen = (happening: Happening): void => {
    happenings.push(happening);
    options.onHappening?.(happening);
  };
  const appEvents = new EventEmitter();
  const themeEvents = new EventEmitter();
  const toPage = new EventEmitter();
  const windows: FakeWindow[] = [];
  const locks: FakeElectron["locks"] = { sandboxed: false, downloads: new EventEmitter() };
  const channels = new Map<string, Handler>();
  const exposed: Record<string, unknown> = {};
  const displays = options.displays ?? [{ x: 0, y: 0, width: 1920, height: 1080 }];
  let dark = options.dark ?? false;

  const app = refuseUnknown<Electron.App>("app", {
    ...listening<Electron.App>(appEvents),
    isPackaged: options.isPackaged ?? false,
    enableSandbox: () => void (locks.sandboxed = true),
    exit: () => happen({ kind: "quit" }),
    getAppPath: () => options.appPath,
    getPath: (name) => {
      const path = options.paths[name];
      if (path === undefined) throw new Error(`The fake has no path ${name}.`);
      return path;
    },
    getVersion: () => "0.0.0",
    quit: () => {
      let prevented = false;
      appEvents.emit("before-quit", { preventDefault: () => (prevented = true) });
      if (prevented) return;
      for (const { events } of windows) {
        events.emit("close", { preventDefault: () => (prevented = true) });
        if (prevented) return;
        events.emit("closed");
      }
      happen({ kind: "quit" });
    },
    requestSingleInstanceLock: () => options.second !== true,
    setAboutPanelOptions: (about) => happen({ kind: "about", options: about }),
    whenReady: () => Promise.resolve(),
  });

  class BrowserWindow {
    constructor(given: Electron.BrowserWindowConstructorOptions = {}) {
      const events = new EventEmitter();
      const contents = new EventEmitter();
      const webContents = refuseUnknown<Electron.WebContents>("webContents", {
        ...listening<Electron.WebContents>(contents),
        send: (channel, ...args: unknown[]) => void toPage.emit(channel, {}, ...args),
        setWindowOpenHandler: (handler) => void (made.openHandler = handler),
      });
      const window = refuseUnknown<Electron.BrowserWindow>("BrowserWindow", {
        ...listening<Electron.BrowserWindow>(events),
        webContents,
        focus: () => happen({ kind: "window", act: "focus" }),
        getNormalBounds: () => made.bounds,
        isFocused: () => made.focused,
        isMaximized: () => made.maximized,
        isMinimized: () => made.minimized,
        isVisible: () => made.shown,
        loadURL: (url) => {
          happen(url.startsWith("data:") ? { kind: "waiting", url } : { kind: "load", url });
          return Promise.resolve();
        },
        maximize: () => {
          made.maximized = true;
          happen({ kind: "window", act: "maximize" });
        },
        restore: () => {
          made.minimized = false;
          happen({ kind: "window", act: "restore" });
        },
        setBackgroundColor: (colour) => happen({ kind: "background", colour }),
        setProgressBar: (value) => happen({ kind: "progress", value }),
        setTitle: (title) => happen({ kind: "title", title }),
        show: () => {
          made.shown = true;
          happen({ kind: "window", act: "show" });
        },
      });
      const made: FakeWindow = {
        options: given,
        events,
        contents,
        window,
        openHandler: undefined,
        focused: true,
        shown: false,
        minimized: false,
        maximized: false,
        bounds: { x: given.x ?? 0, y: given.y ?? 0, width: given.width ?? 0, height: given.height ?? 0 },
      };
      windows.push(made);
      appEvents.emit("web-contents-created", {}, webContents);
      return window;
    }
  }

  class Notification extends EventEmitter {
    readonly #options: Electron.NotificationConstructorOptions;
    constructor(given: Electron.NotificationConstructorOptions = {}) {
      super();
      this.#options = given;
    }
    static isSupported(): boolean {
      return true;
    }
    show(): void {
      happen({ kind: "notice", options: this.#options });
    }
  }

  const pages = refuseUnknown<Electron.Session>("session", {
    ...listening<Electron.Session>(locks.downloads),
    cookies: refuseUnknown<Electron.Cookies>("cookies", {
      remove: (url, name) => {
        happen({ kind: "cookie-removed", url, name });
        return Promise.resolve();
      },
      set: (cookie) => {
        happen({ kind: "cookie", cookie });
        return Promise.resolve();
      },
    }),
    setPermissionRequestHandler: (handler) => void (locks.request = handler),
    setPermissionCheckHandler: (handler) => void (locks.check = handler),
    setDevicePermissionHandler: (handler) => void (locks.device = handler),
    webRequest: refuseUnknown<Electron.WebRequest>("webRequest", {
      onBeforeRequest: ((listener: BeforeRequest) => {
        locks.beforeRequest = listener;
      }) as unknown as Electron.WebRequest["onBeforeRequest"],
    }),
  });

  const messageBox = (given: Electron.MessageBoxOptions): Promise<Electron.MessageBoxReturnValue> => {
    happen({ kind: "message-box", options: given });
    return Promise.resolve({ response: options.answer?.(given) ?? 0, checkboxChecked: false });
  };
  const openDialog = (given: Electron.OpenDialogOptions): Promise<Electron.OpenDialogReturnValue> => {
    happen({ kind: "open-dialog", options: given });
    const path = options.choose?.(given) ?? null;
    return Promise.resolve({ canceled: path === null, filePaths: path === null ? [] : [path] });
  };
  /** Both of Electron's forms: with a window before the options, and without. */
  const last = <Options, Result>(show: (given: Options) => Result): ((...args: unknown[]) => Result) => {
    return (...args) => show(args.at(-1) as Options);
  };

  const invoke: FakeElectron["invoke"] = async (frame, channel, ...args) => {
    const handler = channels.get(channel);
    if (handler === undefined) throw new Error(`No handler registered for '${channel}'`);
    const event = { senderFrame: frame } as Electron.IpcMainInvokeEvent;
    return structuredClone(await handler(event, ...structuredClone<unknown[]>(args)));
  };

  return {
    happenings,
    appEvents,
    setDark: (next) => {
      dark = next;
      themeEvents.emit("updated");
    },
    windows,
    locks,
    channels,
    exposed,
    invoke,
    electron: {
      app,
      BrowserWindow: BrowserWindow as unknown as typeof Electron.BrowserWindow,
      Notification: Notification as unknown as typeof Electron.Notification,
      dialog: refuseUnknown<Electron.Dialog>("dialog", {
        showMessageBox: last(messageBox),
        showOpenDialog: last(openDialog),
      }),
      ipcMain: refuseUnknown<Electron.IpcMain>("ipcMain", {
        handle: (channel, handler) => {
          if (channels.has(channel)) throw new Error(`Attempted to register a second handler for '${channel}'`);
          channels.set(channel, handler);
        },
      }),
      Menu: refuseUnknown<typeof Electron.Menu>("Menu", {
        buildFromTemplate: (template) =>
          Object.assign([...template], {
            popup: () => happen({ kind: "context-menu", template: template as Electron.MenuItemConstructorOptions[] }),
          }) as unknown as Electron.Menu,
        setApplicationMenu: (menu) =>
          happen({ kind: "menu", template: menu as unknown as Electron.MenuItemConstructorOptions[] }),
      }),
      nativeTheme: refuseUnknown<Electron.NativeTheme>("nativeTheme", {
        ...listening<Electron.NativeTheme>(themeEvents),
        get shouldUseDarkColors() {
          return dark;
        },
      }),
      powerSaveBlocker: refuseUnknown<Electron.PowerSaveBlocker>("powerSaveBlocker", {
        start: () => {
          happen({ kind: "blocker", on: true });
          return 7;
        },
        stop: (id) => {
          if (id !== 7) throw new Error(`No blocker ${id}.`);
          happen({ kind: "blocker", on: false });
          return true;
        },
      }),
      screen: refuseUnknown<Electron.Screen>("screen", {
        getAllDisplays: () => displays.map((workArea) => refuseUnknown<Electron.Display>("display", { workArea })),
      }),
      session: refuseUnknown<typeof Electron.session>("session", { defaultSession: pages }),
      shell: refuseUnknown<Electron.Shell>("shell", {
        openExternal: (url) => {
          happen({ kind: "opened-outside", url });
          return Promise.resolve();
        },
        showItemInFolder: (path) => happen({ kind: "shown-in-folder", path }),
      }),
      contextBridge: refuseUnknown<Electron.ContextBridge>("contextBridge", {
        exposeInMainWorld: (key, value: unknown) => void (exposed[key] = value),
      }),
      ipcRenderer: refuseUnknown<Electron.IpcRenderer>("ipcRenderer", {
        on: (channel, listener) => {
          toPage.on(channel, listener);
          return {} as Electron.IpcRenderer;
        },
        invoke: (channel, ...args: unknown[]) => {
          const load = happenings.findLast((happening) => happening.kind === "load");
          const url = load?.kind === "load" ? load.url : "about:blank";
          return invoke({ url, parent: null }, channel, ...args);
        },
      }),
      webUtils: refuseUnknown<Electron.WebUtils>("webUtils", {
        // A dropped file is played by one with a path as its name; a page's own has none.
        getPathForFile: (file) => (file.name.startsWith("/") ? file.name : ""),
      }),
    },
  };
}
