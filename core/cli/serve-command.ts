import type { Command } from "commander";
import { openService } from "../app.ts";
import { startServer } from "../server/http.ts";
import { CoreError } from "../util/errors.ts";
import { run, whole } from "./context.ts";

interface ServeFlags {
  readonly port: number;
  readonly root?: readonly string[];
  readonly guests?: true;
  readonly host?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly page?: string;
}

/** `dinoscope serve`: the page in a browser, until Ctrl-C. */
export function addServeCommand(program: Command): void {
  program
    .command("serve")
    .option("--port <number>", "port to listen on; 0 takes any free one", whole(0, 65_535), 0)
    .option("--root <folder...>", "folders that may be browsed and written to; the home folder unless given")
    .option("--guests", "also print an address for people who may only look")
    .option("--host <name>", "serve other machines too, under this name or address; needs a certificate")
    .option("--tls-cert <file>", "the certificate, in PEM")
    .option("--tls-key <file>", "its key, in PEM")
    .option("--page <folder>", "the built page, where it is not in its usual place")
    .description("open the library in a browser: prints the address, and serves it until Ctrl-C")
    .addHelpText(
      "after",
      "\nExample:\n  dinoscope serve\n  dinoscope --library shelves serve --port 4321 --root /photos",
    )
    .action((flags: ServeFlags, command: Command) =>
      run(command, async ({ folder, output, signal }) => {
        const tls = tlsOf(flags);
        const { port, root, guests = false, host, page } = flags;
        const service = openService({
          folder,
          holder: "dinoscope serve",
          ...(root === undefined ? {} : { roots: root }),
        });
        try {
          const server = await startServer(service, {
            port,
            guests,
            ...(host === undefined ? {} : { host }),
            ...(tls === null ? {} : { tls }),
            ...(page === undefined ? {} : { page }),
          });
          const { origin, startUrl, guestUrl } = server;
          output.data("serving", { folder, origin, port: server.port, url: startUrl, guestUrl });
          output.line(`Dinoscope serves ${folder} at`);
          output.line(`  ${startUrl}`);
          if (guestUrl !== null) output.line(`  ${guestUrl}  (for guests, who may only look)`);
          output.line("Keep the address to yourself: whoever has it may do what you may. Ctrl-C ends it.");
          await aborted(signal);
          await server.close();
        } finally {
          await service.close();
        }
      }),
    );
}

function tlsOf({ tlsCert, tlsKey }: ServeFlags): { certificate: string; key: string } | null {
  if (tlsCert === undefined && tlsKey === undefined) return null;
  if (tlsCert !== undefined && tlsKey !== undefined) return { certificate: tlsCert, key: tlsKey };
  throw new CoreError("option-invalid", "A certificate and its key go together: --tls-cert FILE --tls-key FILE.");
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
