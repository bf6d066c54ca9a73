/** Bytes by id: the other side of core/rpc/paths.ts. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Content, Service } from "../app.ts";
import { CoreError } from "../util/errors.ts";
import { readBody, sendContent, sendText } from "./answer.ts";

/** Bytes of a picture to search by, and of a long query. */
const maximalPicture = 64 * 2 ** 20;
const maximalQuery = 16 * 2 ** 20;

/** Pictures to search by that are taken in at a time: each is held in memory whole. */
const maximalUploads = 2;

/** Bytes of queries that are held at a time. Guests have a share of their own, so that they cannot use up the owner's. */
const maximalQueries = { owner: 64 * 2 ** 20, guests: 32 * 2 ** 20 };

export interface Routes {
  /** Answers a request for bytes; false where its path is none of these. */
  get(request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean>;
  post(request: IncomingMessage, response: ServerResponse, url: URL, guest: boolean): Promise<boolean>;
}

export function createRoutes(service: Service): Routes {
  let uploads = 0;
  const held = { owner: 0, guests: 0 };
  /** The text of a long query. What it says that it has is set aside first; without a word that is all that it may have. */
  const readQuery = async (request: IncomingMessage, guest: boolean): Promise<string> => {
    const whose = guest ? "guests" : "owner";
    const size = Math.min(Number(request.headers["content-length"] ?? maximalQuery), maximalQuery);
    if (held[whose] + size > maximalQueries[whose]) {
      throw new CoreError("busy", "Too many long queries are on their way.", { hint: "Ask again in a moment." });
    }
    held[whose] += size;
    try {
      return (await readBody(request, size)).toString("utf8");
    } finally {
      held[whose] -= size;
    }
  };
  const { bytes } = service;
  const contentOf = (name: string, id: number, url: URL): Content | Promise<Content> | null => {
    switch (name) {
      case "thumbnails":
        return bytes.thumbnail(id);
      case "pictures":
        return bytes.picture(id);
      case "masks":
        return bytes.mask(id, url.searchParams.has("overlay"));
      case "attention":
        return bytes.attention(id, lookOf(url));
      case "patches":
        return bytes.patches(id, lookOf(url));
      case "map":
        return bytes.map(id);
      case "health":
        return bytes.health(id);
      default:
        return null;
    }
  };
  return {
    get: async (request, response, url) => {
      if (url.pathname === "/images") {
        await sendContent(request, response, service.images(url.searchParams.get("query") ?? "{}"));
        return true;
      }
      const [, name = "", digits = "", ending = ""] = /^\/([a-z]+)\/(\d{1,15})(\.png)?$/.exec(url.pathname) ?? [];
      if ((name === "masks") !== (ending === ".png")) return false;
      const content = await contentOf(name, Number(digits), url);
      if (content === null) return false;
      await sendContent(request, response, content, url.searchParams.get("v"));
      return true;
    },
    post: async (request, response, url, guest) => {
      if (url.pathname === "/images") {
        await sendContent(request, response, service.images(await readQuery(request, guest)));
        return true;
      }
      if (url.pathname !== "/queries") return false;
      if (guest) throw new CoreError("guest-refused", "Guests may look at this library and bring nothing in.");
      if (uploads >= maximalUploads) throw new CoreError("busy", "Other pictures are being searched by. Try again.");
      uploads += 1;
      try {
        const picture = await readBody(request, maximalPicture);
        const queryId = await service.addQuery(picture, wholeOf(url, "model"));
        sendText(response, 200, JSON.stringify({ queryId }), "application/json; charset=utf-8");
      } finally {
        uploads -= 1;
      }
      return true;
    },
  };
}

function lookOf(url: URL): { modelId: number; size: number } {
  return { modelId: wholeOf(url, "model"), size: wholeOf(url, "size") };
}

/** A whole number of the address, up to six digits. Throws `params-invalid`. */
function wholeOf(url: URL, name: string): number {
  const text = url.searchParams.get(name) ?? "";
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new CoreError("params-invalid", `The address needs a whole number, ${name}=…, not "${text.slice(0, 20)}".`);
}
