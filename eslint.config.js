import js from "@eslint/js";
import ts from "typescript-eslint";
import { layers, packages, pure } from "./layers.config.js";

const rooms = Object.keys(layers);

/** The names by which files of a room would import another: from its folder, and from a file beside the folders. */
const folderPattern = (other) => `^(\\.\\./)+(core/)?${other.replace("core/", "")}(/|\\.ts$)`;
const rootPattern = (other) => `^\\./(core/)?${other.replace("core/", "")}(/|\\.ts$)`;

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
              regex: pattern(other),
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
  forbid(room, [`${room}.ts`], rootPattern),
  forbid(room, [`${room}/**/*.{ts,svelte}`], folderPattern),
]);

export default ts.config(
  { ignores: ["dist/**", "node_modules/**", "test/fixtures/**"] },
  js.configs.recommended,
  ...ts.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ["*.js", "core/launch.mjs"] } } },
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
  { files: ["*.config.js", "*.config.ts"], rules: { "no-restricted-syntax": "off" } },
  {
    files: ["**/*.js", "**/*.mjs"],
    extends: [ts.configs.disableTypeChecked],
    languageOptions: { globals: { process: "readonly", console: "readonly", URL: "readonly" } },
  },
  ...layerRules,
);
