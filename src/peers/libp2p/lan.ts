/**
 * Neighbours on the local network, by libp2p's mDNS. That asks who is there when it starts, and as
 * often for ever; each of n neighbours answers each of the others, and all read all answers: n³ of
 * them every time. So it is started anew instead, ever more rarely while this node has company:
 * whoever comes asks by himself.
 */
import { type PeerDiscovery, type Startable, peerDiscoverySymbol } from "@libp2p/interface";
import { type MulticastDNSComponents, mdns } from "@libp2p/mdns";
import { limits } from "../../base/limits.ts";
import type { SearchNeeds } from "./relay-search.ts";

type Parts = MulticastDNSComponents & {
  readonly connectionManager: { getConnections(): readonly unknown[] };
};

/** A service of the libp2p node. */
export function lan(needs: SearchNeeds): (parts: Parts) => Lan {
  return (parts) => new Lan(needs, parts);
}

export class Lan implements Startable {
  readonly [peerDiscoverySymbol]: PeerDiscovery & Partial<Startable>;
  readonly #needs: SearchNeeds;
  readonly #parts: Parts;
  readonly #pace = new Pace();
  #look: Disposable | undefined;
  #asking: Promise<void> = Promise.resolve();

  constructor(needs: SearchNeeds, parts: Parts) {
    this.#needs = needs;
    this.#parts = parts;
    this[peerDiscoverySymbol] = mdns({ serviceTag: "hive.local", interval: neverMs })(parts);
  }

  async start(): Promise<void> {
    this.#pace.isDue(this.#needs.clock.monotonicMs(), { isAlone: true });
    this.#lookLater();
    await this[peerDiscoverySymbol].start?.();
  }

  async stop(): Promise<void> {
    this.#look?.[Symbol.dispose]();
    await this.#asking;
    await this[peerDiscoverySymbol].stop?.();
  }

  #lookLater(): void {
    const { clock, random } = this.#needs;
    // Machines that start together, as after a power cut, do not go on asking together.
    const pauseMs = limits.lan.lookMs * (0.75 + random.unit() / 2);
    this.#look = clock.after(pauseMs, () => {
      this.#lookLater();
      const isAlone = this.#parts.connectionManager.getConnections().length === 0;
      if (!this.#pace.isDue(clock.monotonicMs(), { isAlone })) return;
      this.#asking = this.#asking.then(() => this.#ask());
    });
  }

  async #ask(): Promise<void> {
    try {
      await this[peerDiscoverySymbol].stop?.();
      await this[peerDiscoverySymbol].start?.();
    } catch (error) {
      this.#parts.logger.forComponent("hive:lan").error("cannot ask - %e", error);
    }
  }
}

/** When to ask: at every look while nobody is there, and after pauses that double. Pure. */
export class Pace {
  #pauseMs = 0;
  #dueAtMs = -Infinity;

  isDue(atMs: number, { isAlone }: { readonly isAlone: boolean }): boolean {
    if (isAlone) this.#pauseMs = 0;
    else if (atMs < this.#dueAtMs) return false;
    this.#dueAtMs = atMs + this.#pauseMs;
    this.#pauseMs = Math.min(Math.max(2 * this.#pauseMs, limits.lan.lookMs), limits.lan.pauseMsMax);
    return true;
  }
}

/** The longest that a timer can be. */
const neverMs = 2 ** 31 - 1;
