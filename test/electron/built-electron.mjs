/**
 * Preloaded into the built main process (`node --import`): whoever imports `electron` gets the fake of
 * fake-electron.ts, with the user played by the parent process over the fork's channel.
 */
import { registerHooks } from "node:module";

const target = new URL("./built-electron.ts", import.meta.url).href;
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "electron"
      ? { url: target, shortCircuit: true, format: "module-typescript" }
      : next(specifier, context),
});
