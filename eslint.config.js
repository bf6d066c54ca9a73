import js from "@eslint/js";
import ts from "typescript-eslint";
import { layers, packages } from "./layers.config.js";

const rooms = Object.keys(layers);

/** A room is a folder, or a single file such as core/app.ts. */
const filesOf = (room) => [`${room}.ts`, `${room}/**/*.ts`];

/** Lint rules that forbid every import which layers.config.js does not allow. */
const layerRules = rooms.map((room) => ({
  files: filesOf(room),
  rules: {
    "no-restricted-imports": [
      "error",
      {
        paths: Object.entries(packages)
          .filter(([, allowed]) => !allowed.includes(room))
          .map(([name, allowed]) => ({ name, message: `Only ${allowed.join(", ")} may import ${name}.` })),
        patterns: rooms
          .filter((other) => other !== room && !layers[room].includes(other))
          .map((other) => ({
            regex: `^(\\.\\./)+(core/)?${other.replace("core/", "")}(/|\\.ts$)|^\\./${other.replace("core/", "")}(/|\\.ts$)`,
            message: `${room} may not import ${other} (layers.config.js).`,
          }))
          .filter(({ regex }) => !(room.split("/").length > 1 && regex.startsWith("^\\./") && filesOf(room).length === 0)),
      },
    ],
  },
}));

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
  { files: ["**/*.js", "**/*.mjs"], extends: [ts.configs.disableTypeChecked], languageOptions: { globals: { process: "readonly", console: "readonly", URL: "readonly" } } },
  ...layerRules,
);
