import type { WantedDevice } from "../engine/protocol.ts";
import type { Engine } from "../engine/supervisor.ts";
import type { ReadLibrary } from "../library/open.ts";

/** What looking at a library takes: its files, and an engine that starts when it is first asked. */
export interface Desk {
  readonly library: ReadLibrary;
  readonly engine: Engine;
}

/** Settings of a command that runs a model, filled in by whoever asks. */
export interface ModelChoice {
  readonly model?: string | undefined;
  readonly device: WantedDevice;
}
