/**
 * Who may import whom: each room of the house and the rooms it may name. `docs/architecture.md` gives the reasons.
 * eslint.config.js turns this table into lint rules, and test/layers.test.ts walks the real imports against it.
 */
export const layers = {
  "core/main": ["core/server", "core/app", "core/rpc", "core/util"],
  "core/server": ["core/app", "core/rpc", "core/util"],
  "core/cli": ["core/server", "core/app", "core/rpc", "core/util"],
  "core/app": [
    "core/jobs",
    "core/library",
    "core/suggest",
    "core/masks",
    "core/exports",
    "core/imports",
    "core/engine",
    "core/rpc",
    "core/util",
  ],
  "core/jobs": [
    "core/library",
    "core/engine",
    "core/nn",
    "core/suggest",
    "core/masks",
    "core/exports",
    "core/imports",
    "core/rpc",
    "core/util",
  ],
  "core/engine": [
    "core/image",
    "core/sample",
    "core/nn",
    "core/weights",
    "core/runtime",
    "core/graph",
    "core/suggest",
    "core/masks",
    "core/rpc",
    "core/util",
  ],
  "core/nn": ["core/graph", "core/util"],
  "core/weights": ["core/nn", "core/util"],
  "core/runtime": ["core/graph", "core/util"],
  "core/graph": ["core/util"],
  "core/image": ["core/util"],
  "core/sample": ["core/util"],
  "core/suggest": ["core/util"],
  "core/masks": ["core/rpc", "core/util"],
  "core/library": ["core/rpc", "core/util"],
  "core/exports": ["core/masks", "core/rpc", "core/util"],
  "core/imports": ["core/masks", "core/rpc", "core/util"],
  "core/rpc": [],
  "core/util": [],
  electron: ["core/rpc"],
  "renderer/main": ["renderer/Frame", "renderer/state", "renderer/core-client"],
  "renderer/Frame": [
    "renderer/views",
    "renderer/commands",
    "renderer/components",
    "renderer/state",
    "renderer/widgets",
    "renderer/lib",
    "core/rpc",
  ],
  "renderer/views": ["renderer/components", "renderer/state", "renderer/widgets", "renderer/lib", "core/rpc"],
  "renderer/commands": ["renderer/state", "renderer/lib", "core/rpc"],
  "renderer/components": ["renderer/state", "renderer/widgets", "renderer/lib", "core/rpc"],
  "renderer/state": ["renderer/core-client", "renderer/lib", "core/rpc"],
  "renderer/core-client": ["renderer/lib", "core/rpc"],
  "renderer/widgets": ["renderer/lib"],
  "renderer/lib": ["core/rpc"],
};

/**
 * Packages with native code or a device behind them, and the only rooms that may name them: a crash or a blocked
 * thread stays where it was planned.
 */
export const packages = {
  "better-sqlite3": ["core/library"],
  sharp: ["core/image", "core/sample"],
  "onnxruntime-node": ["core/runtime"],
  "@tensorflow/tfjs-core": ["core/runtime"],
  commander: ["core/cli"],
  electron: ["electron"],
};

/** Rooms that run in the page as well as in Node, and so use neither Node nor the DOM. */
export const pure = ["core/rpc"];
