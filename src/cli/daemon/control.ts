/**
 * The socket between the command line and a daemon: one JSON object a line, request then answers.
 * Its directory is open to this user alone. An answer is progress (any number), then a result or
 * a fault. Lines are bounded on both sides.
 */
import { chmodSync, rmSync } from "node:fs";
import { type Server, type Socket, connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { MiB } from "../../base/bytes.ts";
import { HiveError, type Kind, codeOf, kinds } from "../../base/errors.ts";
import { faultOf } from "../../base/machine/system-faults.ts";
import type { Vouch } from "../../base/views/peers.ts";

export type Json = string | number | boolean | null | readonly Json[] | { [key: string]: Json };
export type Arguments = Readonly<Record<string, Json>>;
export type Progress = (words: string) => void;
export type ControlHandler = (values: Arguments, progress: Progress) => unknown;
export type ControlHandlers = Readonly<Record<string, ControlHandler>>;

/** A request is a command and a few words; an answer lists at most some thousand peers. */
const requestBytesMax = 64 * 1024;
const answerBytesMax = 16 * MiB;

/** A daemon says at once how it is, unless the machine has no time for it. */
const statusPatienceMs = 30_000;

/** What a daemon refuses with that has nothing mounted any more and is being closed. */
export const endingOp = "control.ending";

interface Refusal {
  readonly kind: Kind;
  readonly op: string;
  readonly subject: string;
}

type Answer =
  | { readonly progress: string }
  | { readonly result: unknown }
  | { readonly error: Refusal };

export function serveControl(path: string, handlers: ControlHandlers): Promise<Server> {
  rmSync(path, { force: true });
  const server = createServer((socket) => void serveOne(socket, handlers));
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve(server);
    });
  });
}

/** Asks a daemon. Unavailable when none listens there, Denied when it is another user's. */
export async function askControl(
  path: string,
  command: string,
  values: Arguments = {},
  progress: Progress = () => {},
  signal?: AbortSignal,
): Promise<unknown> {
  const request = `${JSON.stringify({ command, values })}\n`;
  if (Buffer.byteLength(request) > requestBytesMax) {
    throw new HiveError("TooLarge", "control.request", `more than ${requestBytesMax} bytes`);
  }
  const socket = await dial(path);
  const silent = new HiveError("TimedOut", "control.silent", "the daemon does not answer");
  signal?.addEventListener("abort", () => socket.destroy(silent), { once: true });
  try {
    socket.write(request);
    for await (const line of lines(socket, answerBytesMax)) {
      const answer = JSON.parse(line) as Answer;
      if ("progress" in answer) progress(answer.progress);
      else if ("error" in answer) throw revive(answer.error);
      else return answer.result;
    }
    throw new HiveError("Unavailable", "control.ask", "the daemon ended before it answered");
  } finally {
    socket.destroy();
  }
}

/** How a daemon is; TimedOut when it does not say so. One that was killed may stay as it is. */
export function askStatus(path: string, patienceMs = statusPatienceMs): Promise<unknown> {
  return askControl(path, "status", {}, undefined, AbortSignal.timeout(patienceMs));
}

async function serveOne(socket: Socket, handlers: ControlHandlers): Promise<void> {
  const say = (answer: Answer): void => void socket.write(`${JSON.stringify(answer)}\n`);
  socket.on("error", () => socket.destroy());
  try {
    for await (const line of lines(socket, requestBytesMax)) {
      const { command, values } = parseRequest(line);
      const handler = handlers[command];
      if (handler === undefined) throw unknownCommand(command);
      const result = await handler(values, (words) => say({ progress: words }));
      say({ result: result ?? null });
    }
  } catch (error) {
    say({ error: flatten(error) });
  } finally {
    socket.end();
  }
}

/** What only the daemon of a mounted drive can do: a peer without a mount does not know it. */
export function unknownCommand(command: string): HiveError {
  return new HiveError("Unsupported", "control.command", command);
}

/** Of a request to take the user's word for where a peer is, or to take it back. */
export function vouchIn({ peer, country }: Arguments): Vouch {
  return { peer: String(peer), country: typeof country === "string" ? country : null };
}

function parseRequest(line: string): { command: string; values: Arguments } {
  const value = JSON.parse(line) as { command?: unknown; values?: unknown };
  const right = typeof value.command === "string" && typeof value.values === "object";
  if (right) return { command: value.command as string, values: value.values as Arguments };
  throw new HiveError("Invalid", "control", "request");
}

async function* lines(socket: Socket, bytesMax: number): AsyncGenerator<string> {
  let read = 0;
  socket.on("data", (part: Buffer) => {
    read += part.length;
    if (read > bytesMax) socket.destroy(new HiveError("TooLarge", "control", "message"));
  });
  yield* createInterface({ input: socket });
}

function dial(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(socket));
    socket.once("error", (cause) => {
      const isOthers = codeOf(cause) === "EACCES";
      reject(isOthers
        ? new HiveError("Denied", "control", path, { cause })
        : new HiveError("Unavailable", "control.connect", "no daemon runs here", { cause }));
    });
  });
}

function flatten(error: unknown): Refusal {
  const fault = faultOf(error);
  if (fault !== undefined) return { kind: fault.kind, op: fault.op, subject: fault.subject };
  const words = error instanceof Error ? error.message : String(error);
  const isLate = error instanceof Error && error.name === "TimeoutError";
  if (isLate) return { kind: "TimedOut", op: "control", subject: words };
  return { kind: "Unsupported", op: "control", subject: words };
}

function revive(refusal: Refusal): HiveError {
  const kind = kinds.includes(refusal.kind) ? refusal.kind : "Corrupt";
  return new HiveError(kind, refusal.op, refusal.subject);
}
