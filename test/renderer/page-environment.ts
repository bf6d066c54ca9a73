import type { Environment } from "vitest/runtime";

/** Node's globals with modules compiled as for the page: state classes need runes that react, not a DOM. */
const pageEnvironment: Environment = {
  name: "page",
  viteEnvironment: "client",
  setup: () => ({ teardown: () => undefined }),
};

// Vitest asks for a default export.
// eslint-disable-next-line no-restricted-syntax
export default pageEnvironment;
