/**
 * The local dashboard: one page, and one JSON answer that it draws every two seconds. It shows and
 * never changes anything, and it listens on 127.0.0.1 alone.
 *
 * Who may look: whoever has the URL, whose path holds 128 random bits; another user of this
 * machine can reach the port, but not guess them. Who may not: a web page, in the same browser,
 * that points its own name at 127.0.0.1 (DNS rebinding); the Host header gives it away. The page
 * (page.html) loads nothing from anywhere, and its policy forbids it to.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { HiveError, assert, codeOf, isFault } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { erasureClasses } from "../base/records.ts";
import type { DriveStatus } from "../base/views/drive.ts";
import type { PeerRow } from "../base/views/peers.ts";
import type { DashboardView } from "./views.ts";

export interface DashboardNeeds {
  readonly status: () => Promise<DriveStatus>;
  readonly peers: () => Promise<readonly PeerRow[]>;
  readonly random: Random;
  readonly log: Log;
}

export interface Dashboard {
  /** With the token: show it to the user alone. */
  readonly url: string;
  close(): Promise<void>;
}

const address = "127.0.0.1";
const tokenBytes = 16;
const methods = ["GET", "HEAD"];

/** Serves until closed. Port 0 takes a free one; Busy when somebody else has the port. */
export async function serveDashboard(
  needs: DashboardNeeds,
  options: { readonly port: number },
): Promise<Dashboard> {
  const token = needs.random.bytes(tokenBytes).toString("hex");
  const page = readPage();
  const view = sharing(() => look(needs));
  const { connectionsMax, headerBytesMax } = limits.web;
  const server = createServer(
    { maxHeaderSize: headerBytesMax },
    (request, response) => void answer({ request, response, token, page, view, log: needs.log }),
  );
  server.maxConnections = connectionsMax;
  const port = await listen(server, options.port);
  // Such as too many open files: a visitor is lost, the drive goes on.
  server.on("error", (error) => needs.log.warn("web.server", { error: describe(error) }));
  return { url: `http://${address}:${port}/${token}/`, close: () => closeAll(server) };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly token: string;
  readonly page: Page;
  readonly view: () => Promise<DashboardView>;
  readonly log: Log;
}

interface Page {
  readonly html: Buffer;
  /** Its content security policy. */
  readonly policy: string;
}

/** The checks stand in order: for whom, where, how. What fails one learns nothing of the next. */
async function answer(exchange: Exchange): Promise<void> {
  const { request, response, token } = exchange;
  if (!isOurHost(request)) return refuse(response, 421, "this is not that host");
  const place = placeIn(request.url ?? "", token);
  if (place !== "" && place !== "view.json") return refuse(response, 404, "not found");
  if (!methods.includes(request.method ?? "")) {
    response.setHeader("Allow", methods.join(", "));
    return refuse(response, 405, "look, do not touch");
  }
  if (place === "") return sendPage(response, exchange.page);
  await sendView(exchange);
}

/** A name that only leads here would also let a page under that name read what we answer. */
function isOurHost(request: IncomingMessage): boolean {
  const { localPort } = request.socket;
  const { host } = request.headers;
  return host === `${address}:${localPort}` || host === `localhost:${localPort}`;
}

/** What follows the token in the path; undefined without the right token. */
function placeIn(url: string, token: string): string | undefined {
  const [, given = "", ...rest] = url.split("/");
  const right = given.length === token.length;
  if (!right || !timingSafeEqual(Buffer.from(sha256(given)), Buffer.from(sha256(token)))) {
    return undefined;
  }
  return rest.length === 1 ? rest[0] : undefined;
}

function sendPage(response: ServerResponse, page: Page): void {
  response.setHeader("Content-Security-Policy", page.policy);
  send(response, { status: 200, type: "text/html; charset=utf-8", body: page.html });
}

async function sendView({ response, view, log }: Exchange): Promise<void> {
  try {
    const body = Buffer.from(JSON.stringify(await view()));
    send(response, { status: 200, type: "application/json", body });
  } catch (error) {
    log.warn("web.view", { error: describe(error) });
    const kind = isFault(error) ? error.kind : "failed";
    refuse(response, 503, `no answer from the drive: ${kind}`);
  }
}

function refuse(response: ServerResponse, status: number, words: string): void {
  send(response, { status, type: "text/plain; charset=utf-8", body: Buffer.from(`${words}\n`) });
}

function send(
  response: ServerResponse,
  { status, type, body }: { status: number; type: string; body: Buffer },
): void {
  response.writeHead(status, {
    "Content-Type": type,
    "Content-Length": body.length,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
  });
  // Node leaves the body out when the request was HEAD.
  response.end(body);
}

async function look(needs: DashboardNeeds): Promise<DashboardView> {
  const [status, peers] = await Promise.all([needs.status(), needs.peers()]);
  const found = erasureClasses.find((one) => one.name === status.class);
  const { peersShownMax } = limits.web;
  return {
    status,
    code: found === undefined ? null : { k: found.k, n: found.n, r: found.r },
    peers: peers.slice(0, peersShownMax),
    peersLeftOut: Math.max(0, peers.length - peersShownMax),
  };
}

/** However many tabs are open, the drive is asked once at a time. */
function sharing<T>(ask: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= ask().finally(() => (running = undefined));
    return running;
  };
}

/** The page's own style and script are allowed by their hashes, and nothing else is. */
function readPage(): Page {
  const html = readFileSync(new URL("page.html", import.meta.url));
  const text = html.toString("utf8");
  const policy = [
    "default-src 'none'",
    `style-src '${hashOf(text, "style")}'`,
    `script-src '${hashOf(text, "script")}'`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return { html, policy: policy.join("; ") };
}

function hashOf(html: string, element: "style" | "script"): string {
  const found = html.split(`<${element}>`)[1]?.split(`</${element}>`)[0];
  assert(found !== undefined, `the page has a ${element}`);
  return `sha256-${createHash("sha256").update(found).digest("base64")}`;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => reject(listenFault(port, cause));
    server.once("error", fail);
    server.listen({ host: address, port, exclusive: true }, () => {
      server.off("error", fail);
      const bound = server.address();
      assert(bound !== null && typeof bound === "object");
      resolve(bound.port);
    });
  });
}

function listenFault(port: number, cause: unknown): HiveError {
  const code = codeOf(cause);
  const kind = code === "EADDRINUSE" ? "Busy" : code === "EACCES" ? "Denied" : "Unavailable";
  return new HiveError(kind, "web.listen", `port ${port}`, { cause });
}

function closeAll(server: Server): Promise<void> {
  if (!server.listening) return Promise.resolve();
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
