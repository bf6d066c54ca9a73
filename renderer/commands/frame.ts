import type { App, AppCommand } from "../state/app.svelte.ts";

/** What can be done anywhere. */
export const frameCommands: readonly AppCommand[] = [
  {
    id: "open-palette",
    title: "Find a command",
    group: "Everywhere",
    keys: ["Mod+K"],
    always: true,
    quiet: true,
    run: ({ panels }) => panels.toggle("palette"),
  },
  {
    id: "search",
    title: "Search by name or picture",
    group: "Everywhere",
    keys: ["Mod+F"],
    always: true,
  },
  {
    id: "undo",
    title: "Undo",
    group: "Everywhere",
    keys: ["Mod+Z"],
    when: ({ core }) => !core.guest,
    run: ({ history }) => history.undo(),
  },
  {
    id: "redo",
    title: "Redo",
    group: "Everywhere",
    keys: ["Mod+Shift+Z", "Mod+Y"],
    when: ({ core }) => !core.guest,
    run: ({ history }) => history.redo(),
  },
  {
    id: "show-history",
    title: "Show the history",
    group: "Everywhere",
    keys: ["Shift+H"],
    run: ({ panels }) => panels.toggle("history"),
  },
  {
    id: "show-keys",
    title: "Show all keys",
    group: "Everywhere",
    keys: ["?"],
    run: ({ panels }) => panels.toggle("cheats"),
  },
  {
    id: "show-devices",
    title: "Test the devices of this machine",
    group: "Everywhere",
    keys: [],
    run: ({ panels }) => panels.show("doctor"),
  },
  {
    id: "toggle-rail",
    title: "Show or hide the left side",
    group: "Everywhere",
    keys: ["["],
    run: (app) => app.toggleSide("rail"),
  },
  {
    id: "toggle-inspector",
    title: "Show or hide the right side",
    group: "Everywhere",
    keys: ["]"],
    run: (app) => app.toggleSide("inspector"),
  },
  ...(["system", "light", "dark"] as const).map((theme) => ({
    id: `theme-${theme}`,
    title: theme === "system" ? "Colours as the system has them" : `${theme === "light" ? "Light" : "Dark"} colours`,
    group: "Everywhere",
    keys: [],
    run: ({ preferences }: App) => preferences.set("theme", theme),
  })),
];
