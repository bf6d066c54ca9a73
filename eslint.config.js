import js from "@eslint/js";
import svelte from "eslint-plugin-svelte";
import globals from "globals";
import ts from "typescript-eslint";
import { layers, packages, pure } from "./layers.config.js";
import svelteConfig from "./svelte.config.js";

const rooms = Object.keys(layers);

const end = "(/|\\.ts$|\\.svelte$|\\.svelte\\.ts$)";

/** How a file would name `other`: its folder where both are under `core` or `renderer`, the whole way elsewhere. */
const nameFrom = (room, other) => {
  const [top, name] = other.split("/");
  return name === undefined || room.split("/")[0] !== top ? other : `(${top}/)?${name}`;
};

/** The names by which files of a room would import another: from its folder, and from a file beside the folders. */
const folderPattern = (room, other) => `^(\\.\\./)+${nameFrom(room, other)}${end}`;
const rootPattern = (room, other) => `^\\.{1,2}/${nameFrom(room, other)}${end}`;

const forbid = (room, files, pattern) => ({
  files,
  rules: {
    "no-restricted-imports": [
      "error",
      {
        paths: Object.entries(packages)
          .filter(([, allowed]) => !allowed.includes(room))
          .map(([name, allowed]) => ({ name, message: `Only ${allowed.join(", ")} may import ${name}.` })),
        patterns: [
          ...rooms
            .filter((other) => other !== room && !layers[room].includes(other))
            .map((other) => ({
              regex: pattern(room, other),
              caseSensitive: true,
              message: `${room} may not import ${other} (layers.config.js).`,
            })),
          ...(pure.includes(room) ? [{ regex: "^node:", message: `${room} runs in browsers too.` }] : []),
        ],
      },
    ],
  },
});

/** Lint rules that forbid every import which layers.config.js does not allow. A room is a folder, a file, or both. */
const layerRules = rooms.flatMap((room) => [
  forbid(room, [`${room}.{ts,svelte,svelte.ts}`], rootPattern),
  forbid(room, [`${room}/**/*.{ts,svelte}`], folderPattern),
]);

export default ts.config(
  { ignores: ["dist/**", "release/**", "node_modules/**", "test/fixtures/**"] },
  js.configs.recommended,
  ...ts.configs.recommendedTypeChecked,
  ...svelte.configs.recommended,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["*.js", "core/launch.mjs"] },
        extraFileExtensions: [".svelte"],
      },
    },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", ignoreRestSiblings: true }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "no-restricted-syntax": [
        "error",
        { selector: "ExportDefaultDeclaration", message: "Export by name: one word per idea, everywhere." },
      ],
    },
  },
  {
    // What Electron's checklist forbids and no test could see everywhere (docs/security.md).
    files: ["electron/**/*.ts"],
    rules: {
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-restricted-syntax": [
        "error",
        { selector: "ExportDefaultDeclaration", message: "Export by name: one word per idea, everywhere." },
        {
          selector:
            "MemberExpression[property.name=/^(openPath|executeJavaScript|executeJavaScriptInIsolatedWorld|insertCSS|loadFile)$/]",
          message: "It runs or opens what a page names, or leaves the core's own origin.",
        },
        {
          selector:
            "Property[key.name=/^(enableBlinkFeatures|allowpopups|nodeIntegration|nodeIntegrationInWorker|nodeIntegrationInSubFrames|webviewTag|allowRunningInsecureContent|experimentalFeatures)$/]:not([value.value=false])",
          message: "Electron's checklist keeps it off.",
        },
        {
          selector: "Property[key.name=/^(sandbox|contextIsolation|webSecurity)$/]:not([value.value=true])",
          message: "Electron's checklist keeps it on.",
        },
        {
          selector:
            "CallExpression[callee.property.name='exposeInMainWorld'] :matches(Identifier.arguments, Property > Identifier.value)[name=/^(ipcRenderer|webFrame|process|require)$/]",
          message: "A page gets named functions, never Electron's own objects.",
        },
        {
          selector: "CallExpression[callee.object.name='ipcMain'][callee.property.name!='handle']",
          message: "Only handlers.ts takes messages of a page: it checks who sends and parses what comes.",
        },
      ],
    },
  },
  {
    files: ["*.config.js", "*.config.ts", "packaging/*.config.ts", "packaging/builder.mjs"],
    rules: { "no-restricted-syntax": "off" },
  },
  {
    files: ["**/*.js", "**/*.mjs"],
    extends: [ts.configs.disableTypeChecked],
    languageOptions: { globals: { process: "readonly", console: "readonly", URL: "readonly" } },
  },
  {
    files: ["renderer/**/*.{ts,svelte}", "test/e2e/**/*.ts"],
    languageOptions: { globals: globals.browser },
  },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
    // What another component exports is typed by svelte-check; the linter sees components as `any`.
    rules: {
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-call": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-return": "off",
      "@typescript-eslint/no-redundant-type-constituents": "off",
      // Maps and sets here are replaced whole or kept out of the reactive graph on purpose.
      "svelte/prefer-svelte-reactivity": "off",
      "no-restricted-syntax": [
        "error",
        {
          selector: "SvelteAttribute[key.name='style']",
          message: "The page's policy lets no style attributes through; use a class or `style:name`.",
        },
      ],
    },
  },
  ...layerRules,
);
