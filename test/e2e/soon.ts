import { expect } from "vitest";
import { patienceMs } from "./support.ts";

/** Expects that what is looked at becomes so before long. */
export const soon = <T>(look: () => T): ReturnType<typeof expect.poll<T>> => expect.poll(look, { timeout: patienceMs });
