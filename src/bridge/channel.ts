/**
 * Calls between two threads over a MessagePort: requests with an id, answers, refusals as HiveError
 * kinds, and cancellation. It knows nothing of what is called; the files beside it do.
 *
 * Byte arrays cross by moving, not by cloning: an answer's or argument's bytes are copied once into
 * a buffer of their own (they may be slices of a pool that must stay) and that buffer is moved.
 */
import type { MessagePort, Transferable } from "node:worker_threads";
import { HiveError, type Kind, isFault, kinds } from "../base/errors.ts";

export type Handler = (argument: unknown, signal: AbortSignal) => unknown;
export type Handlers = Readonly<Record<string, Handler>>;

type Message =
  | { readonly type: "call"; readonly id: number; readonly method: string; readonly value: unknown }
  | { readonly type: "cancel"; readonly id: number }
  | { readonly type: "answer"; readonly id: number; readonly value: unknown }
  | { readonly type: "refusal"; readonly id: number; readonly error: Refusal };

interface Refusal {
  readonly kind: Kind | undefined;
  readonly op: string;
  readonly subject: string;
  readonly message: string;
}

interface Waiter {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Both ends are alike: each may call what the other one serves. */
export class Channel {
  readonly #port: MessagePort;
  readonly #handlers: Handlers;
  readonly #waiting = new Map<number, Waiter>();
  readonly #serving = new Map<number, AbortController>();
  #nextId = 1;
  #closed = false;

  constructor(port: MessagePort, handlers: Handlers) {
    this.#port = port;
    this.#handlers = handlers;
    port.on("message", (message: Message) => this.#receive(message));
    port.on("close", () => this.#end());
  }

  /** Calls a method of the other end. Unavailable when that thread is gone. */
  call(method: string, value?: unknown, signal?: AbortSignal): Promise<unknown> {
    signal?.throwIfAborted();
    if (this.#closed) return Promise.reject(gone(method));
    const id = this.#nextId++;
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    const cancel = (): void => this.#cancel(id, signal?.reason);
    signal?.addEventListener("abort", cancel, { once: true });
    this.#send({ type: "call", id, method, value: detached(value) });
    return answer.finally(() => signal?.removeEventListener("abort", cancel));
  }

  close(): void {
    this.#port.close();
    this.#end();
  }

  #receive(message: Message): void {
    switch (message.type) {
      case "call":
        void this.#serve(message.id, message.method, message.value);
        break;
      case "cancel":
        this.#serving.get(message.id)?.abort(new HiveError("Interrupted", "bridge.call", "other"));
        break;
      case "answer":
        this.#take(message.id)?.resolve(message.value);
        break;
      case "refusal":
        this.#take(message.id)?.reject(revive(message.error));
        break;
    }
  }

  async #serve(id: number, method: string, value: unknown): Promise<void> {
    const control = new AbortController();
    this.#serving.set(id, control);
    try {
      const handler = this.#handlers[method];
      if (handler === undefined) throw new HiveError("Unsupported", "bridge.call", method);
      const answer = await handler(value, control.signal);
      this.#send({ type: "answer", id, value: detached(answer) });
    } catch (error) {
      this.#send({ type: "refusal", id, error: flatten(error) });
    } finally {
      this.#serving.delete(id);
    }
  }

  #cancel(id: number, reason: unknown): void {
    const waiter = this.#take(id);
    if (waiter === undefined) return;
    this.#send({ type: "cancel", id });
    waiter.reject(reason);
  }

  #take(id: number): Waiter | undefined {
    const waiter = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiter;
  }

  #send(message: Message): void {
    if (this.#closed) return;
    const moved: Transferable[] = [];
    if (message.type === "call" || message.type === "answer") collect(message.value, moved);
    this.#port.postMessage(message, moved);
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const waiter of this.#waiting.values()) waiter.reject(gone("call"));
    this.#waiting.clear();
    const reason = new HiveError("Unavailable", "bridge.call", "other thread");
    for (const control of this.#serving.values()) control.abort(reason);
  }
}

/** The value with every byte array copied into a buffer of its own. */
function detached(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (Array.isArray(value)) return value.map(detached);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, detached(item)]));
}

function collect(value: unknown, into: Transferable[]): void {
  if (value instanceof Uint8Array) into.push(value.buffer as ArrayBuffer);
  else if (Array.isArray(value)) for (const item of value) collect(item, into);
  else if (value !== null && typeof value === "object") {
    for (const item of Object.values(value)) collect(item, into);
  }
}

function flatten(error: unknown): Refusal {
  if (isFault(error)) {
    return { kind: error.kind, op: error.op, subject: error.subject, message: error.message };
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { kind: undefined, op: "bridge.call", subject: message, message };
}

function revive(refusal: Refusal): Error {
  const known = refusal.kind !== undefined && kinds.includes(refusal.kind);
  if (!known) return new Error(refusal.message);
  return new HiveError(refusal.kind as Kind, refusal.op, refusal.subject);
}

function gone(method: string): HiveError {
  return new HiveError("Unavailable", "bridge.call", `${method}: the other thread has ended`);
}
