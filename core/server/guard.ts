/**
 * Who may come in. A server on the loopback is open to every program of this machine, and to every page of the web that
 * the browser has open: so each request must name this very server (Host), come from this very page (Origin,
 * Sec-Fetch-Site) and bring the token that only its user was told.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** Bytes of a token. */
const tokenBytes = 32;

/** How long a ticket is good: a browser may have to start first. */
const ticketMs = 60_000;

/** A new token, in hex. */
export function createToken(): string {
  return randomBytes(tokenBytes).toString("hex");
}

/** What a request is let in as, or why not. */
export type Verdict =
  | { readonly ok: true; readonly guest: boolean }
  | { readonly ok: false; readonly status: 401 | 403; readonly code: string; readonly message: string };

/**
 * What is asked for: a socket needs an Origin always, a post unless a program sends it with its token. To enter with a
 * ticket a browser may come from elsewhere, such as a file of the user: nobody else has one.
 */
export type Purpose = "get" | "post" | "socket" | "ticket";

export interface Guard {
  readonly cookieName: string;
  /** Whether a request that any page of the web could make is one of ours; the token is not looked at. */
  checkPlace(headers: IncomingHttpHeaders, purpose: Purpose): Verdict;
  /** `checkPlace`, and the token from the cookie or from `Authorization: Bearer`. */
  check(headers: IncomingHttpHeaders, purpose: Purpose): Verdict;
  /** Whom a token of the start address belongs to, or null. */
  callerOf(token: string): { readonly guest: boolean } | null;
  /** The cookie for a token. */
  cookie(token: string): string;
  /**
   * What opens the page once, within a minute, in place of the owner's token: a browser that is started with an address
   * shows it to every user of this machine, in the list of processes.
   */
  createTicket(): string;
  /** The owner's token for a good ticket, which is good no longer then; null for any other. */
  redeem(ticket: string): string | null;
}

export interface GuardOptions {
  readonly token: string;
  /** Token of those who may only look; null without guests. */
  readonly guestToken: string | null;
  /** What the address begins with: `http://127.0.0.1:4321`. */
  readonly origin: string;
}

export function createGuard({ token, guestToken, origin }: GuardOptions): Guard {
  const { host, protocol } = new URL(origin);
  // Cookies pass over ports: every start has a name of its own, so that two libraries do not throw each other out.
  const cookieName = `dinoscope-${randomBytes(4).toString("hex")}`;
  const secure = protocol === "https:" ? "; Secure" : "";
  const owner = digest(token);
  const guest = guestToken === null ? null : digest(guestToken);
  /** Digests of the tickets that are good, with the time that each ends. */
  const tickets = new Map<string, number>();

  const callerOf: Guard["callerOf"] = (given) => {
    const found = digest(given);
    if (timingSafeEqual(found, owner)) return { guest: false };
    if (guest !== null && timingSafeEqual(found, guest)) return { guest: true };
    return null;
  };

  const checkPlace: Guard["checkPlace"] = (headers, purpose) => {
    // Another name that leads here is how a page of the web would reach us (DNS rebinding).
    if (headers.host !== host) return refuse(403, "host-refused", `This server answers to ${host} only.`);
    const site = headers["sec-fetch-site"];
    if (purpose !== "ticket" && site !== undefined && site !== "same-origin" && site !== "none") {
      return refuse(403, "site-refused", "Requests of other sites are not answered.");
    }
    const isProgram = bearerOf(headers) !== null;
    if (headers.origin === undefined) {
      if (purpose === "socket" || (purpose === "post" && !isProgram)) {
        return refuse(403, "origin-missing", `An Origin is needed, ${origin}.`);
      }
    } else if (headers.origin !== origin) {
      return refuse(403, "origin-refused", "Requests of other origins are not answered.");
    }
    return { ok: true, guest: true };
  };

  return {
    cookieName,
    checkPlace,
    check: (headers, purpose) => {
      const place = checkPlace(headers, purpose);
      if (!place.ok) return place;
      const given = bearerOf(headers) ?? cookieOf(headers, cookieName);
      const caller = given === null ? null : callerOf(given);
      if (caller !== null) return { ok: true, ...caller };
      return refuse(401, "token-missing", "Open the address that Dinoscope printed when it was started.");
    },
    callerOf,
    cookie: (value) => `${cookieName}=${value}; HttpOnly; SameSite=Strict; Path=/${secure}`,
    createTicket: () => {
      for (const [known, end] of tickets) if (end < Date.now()) tickets.delete(known);
      const ticket = createToken();
      tickets.set(digest(ticket).toString("hex"), Date.now() + ticketMs);
      return ticket;
    },
    redeem: (ticket) => {
      const known = digest(ticket).toString("hex");
      const end = tickets.get(known);
      tickets.delete(known);
      return end !== undefined && end >= Date.now() ? token : null;
    },
  };
}

function refuse(status: 401 | 403, code: string, message: string): Verdict {
  return { ok: false, status, code, message };
}

/** Of one length whatever was given, so that comparing takes one time. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function bearerOf({ authorization }: IncomingHttpHeaders): string | null {
  return /^Bearer ([0-9A-Za-z._~+/-]{1,200}=*)$/.exec(authorization ?? "")?.[1] ?? null;
}

function cookieOf({ cookie = "" }: IncomingHttpHeaders, name: string): string | null {
  for (const part of cookie.split(";")) {
    const [key, value] = part.trim().split("=", 2);
    if (key === name && value !== undefined) return value;
  }
  return null;
}
