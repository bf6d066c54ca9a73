/** Answers the page on the channels of channels.ts: the sender is checked and the arguments are parsed before anything else. */
import type * as Electron from "electron";
import * as v from "valibot";
import { channels, type Arguments, type Channel } from "./channels.ts";
import { isOwn } from "./lockdown.ts";

/** What main does for each channel. */
export type Handlers = {
  readonly [Name in Channel]: (...args: Arguments<Name>) => unknown;
};

/** Registers every handler. A sender that is no top frame of the core's own page is refused. */
export function answerPage(
  { ipcMain }: Pick<typeof Electron, "ipcMain">,
  ownOrigin: () => string | null,
  handlers: Handlers,
): void {
  for (const channel of Object.keys(channels) as Channel[]) {
    ipcMain.handle(channel, (event, ...args: unknown[]): unknown => {
      if (!isTrusted(event.senderFrame, ownOrigin())) throw new Error(`${channel} was asked by a page of others.`);
      const parsed = v.safeParse(channels[channel], args);
      if (!parsed.success) throw new Error(`${channel} was asked with arguments that it does not take.`);
      return (handlers[channel] as (...args: unknown[]) => unknown)(...parsed.output);
    });
  }
}

/** Whether a frame is the page itself: not gone, at the top, and from the core. */
export function isTrusted(frame: Pick<Electron.WebFrameMain, "url" | "parent"> | null, origin: string | null): boolean {
  return frame !== null && frame.parent === null && isOwn(frame.url, origin);
}
