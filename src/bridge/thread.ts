/**
 * The network's thread: a worker that runs the same front door with a seed instead of a command.
 * Two channels lie between the threads, one for each direction of asking. Should the worker end by
 * a bug, the drive goes on from its local store, and the worker is started again.
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { Worker, isMainThread, workerData } from "node:worker_threads";
import type { Clock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import { giveWay } from "../base/machine/priority.ts";
import type { NodeDuties } from "../base/node.ts";
import { Channel, type Handlers } from "./channel.ts";
import { remoteNode } from "./node.ts";

const role = "hive network";

/** What the worker is started with. */
export interface ThreadSeed<Config> {
  readonly role: typeof role;
  /** Where the starting thread answers. */
  readonly asked: MessagePort;
  /** Where the worker is asked. */
  readonly asking: MessagePort;
  readonly config: Config;
}

export interface ThreadNeeds<Config> {
  readonly file: URL;
  /** Asked at each start. */
  readonly config: () => Config;
  /** What the worker may ask of this thread. */
  readonly handlers: Handlers;
  readonly clock: Clock;
  readonly log: Log;
}

interface Running {
  readonly worker: Worker;
  readonly answering: Channel;
  readonly asking: Channel;
  /** Rejects when the worker ends. */
  readonly ended: Promise<never>;
}

export class NetworkThread<Config> implements AsyncDisposable {
  readonly node: NodeDuties = remoteNode({
    call: (method, value, signal) => this.#running.asking.call(method, value, signal),
  });
  readonly #needs: ThreadNeeds<Config>;
  #running: Running;
  #closing = false;

  private constructor(needs: ThreadNeeds<Config>) {
    this.#needs = needs;
    this.#running = begin(needs);
  }

  /** Resolves when the node answers; rejects with the reason when it cannot be opened. */
  static async start<Config>(needs: ThreadNeeds<Config>): Promise<NetworkThread<Config>> {
    const thread = new NetworkThread(needs);
    try {
      await Promise.race([thread.node.status(), thread.#running.ended]);
    } catch (cause) {
      await thread[Symbol.asyncDispose]();
      throw cause;
    }
    void thread.#attend();
    return thread;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    // A node that cannot close any more has ended: that is what is wanted.
    await this.node.close().catch(() => {});
    await end(this.#running);
  }

  async #attend(): Promise<void> {
    const { clock, log } = this.#needs;
    while (!this.#closing) {
      const why = await this.#running.ended.catch((error: unknown) => error);
      if (this.#closing) return;
      log.error("network.thread.ended", { why: describe(why) });
      await end(this.#running);
      await clock.delay(limits.bridge.restartMs);
      if (!this.#closing) this.#running = begin(this.#needs);
    }
  }
}

/** In a worker that a NetworkThread began, its seed; elsewhere undefined. */
export function threadSeed<Config>(): ThreadSeed<Config> | undefined {
  if (isMainThread) return undefined;
  const seed = workerData as Partial<ThreadSeed<Config>> | null;
  if (seed?.role !== role) return undefined;
  // An upload at full speed must not keep `ls` waiting for a processor.
  giveWay("thread");
  return seed as ThreadSeed<Config>;
}

function begin<Config>({ file, config, handlers }: ThreadNeeds<Config>): Running {
  const near = new MessageChannel();
  const far = new MessageChannel();
  const ports = { asked: near.port2, asking: far.port2 };
  const seed = { role, ...ports, config: config() } satisfies ThreadSeed<Config>;
  const resourceLimits = { maxYoungGenerationSizeMb: limits.bridge.youngGenerationMiBMax };
  const transferList = Object.values(ports);
  const worker = new Worker(file, { workerData: seed, transferList, resourceLimits });
  const ended = new Promise<never>((_, reject) => {
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`the network's thread ended with ${code}`)));
  });
  ended.catch(() => {});
  const answering = new Channel(near.port1, handlers);
  return { worker, answering, asking: new Channel(far.port1, {}), ended };
}

async function end({ worker, answering, asking }: Running): Promise<void> {
  asking.close();
  answering.close();
  await worker.terminate();
}
