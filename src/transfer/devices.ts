/**
 * The drive's other devices: each publishes heads of its own, and this one takes in what they name.
 * A head comes by itself from a device that is connected, and else from members, who are asked for
 * it. First the books learn where its blocks lie and which segments there are, then the tree merges
 * its root. It is a Step: one head a turn. Keys of the KeyValue:
 *
 *   h/PEER   the newest head of that device that was merged here
 */
import type { KeyValue, RootMerger } from "../base/blocks.ts";
import type { Clock } from "../base/clock.ts";
import { isFault } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { PeerNetwork } from "../base/network.ts";
import { type Random, shuffled } from "../base/random.ts";
import type { Head } from "../base/records.ts";
import type { Step } from "../base/step.ts";
import { openRecord } from "../crypt/aead.ts";
import type { DriveKeys } from "../crypt/drive.ts";
import { parseHead, parseManifest } from "../crypt/records.ts";
import { type CatalogEntry, decodePayload } from "./catalog-page.ts";
import type { Catalog } from "./catalog.ts";
import type { Groups } from "./groups.ts";
import type { Records } from "./records.ts";

export interface DevicesNeeds {
  readonly network: PeerNetwork;
  readonly books: KeyValue;
  readonly keys: DriveKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly groups: Groups;
  readonly catalog: Catalog;
  readonly records: Records;
  /** Absent where there is no tree, as while a drive is recovered. */
  readonly merger?: RootMerger | undefined;
}

const prefix = "h/";

export class Devices implements Step {
  readonly name = "devices";
  readonly #needs: DevicesNeeds;
  /** What was merged last of each. */
  readonly #merged = new Map<PeerId, Head>();
  /** Newer ones that wait for their turn. */
  readonly #heard = new Map<PeerId, Head>();
  #askAtMs = 0;
  #tryAtMs = 0;
  wake: () => void = () => undefined;

  constructor(needs: DevicesNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    for await (const [, value] of this.#needs.books.list(prefix)) {
      const head = parseHead(value);
      this.#merged.set(head.peer, head);
    }
  }

  /** Others that may still refer to what this one does not: one that is silent for long is gone. */
  get areAny(): boolean {
    const nowMs = this.#needs.clock.now();
    const heads = [...this.#merged.values(), ...this.#heard.values()];
    return heads.some(({ publishedAtMs }) => nowMs - publishedAtMs < limits.devices.goneMs);
  }

  peers(): readonly PeerId[] {
    return [...this.#merged.keys()];
  }

  /** True when it is a head of this drive; what is not newer than what was merged is forgotten. */
  hear(head: Head): boolean {
    const { keys, network } = this.#needs;
    if (head.owner !== keys.owner) return false;
    if (head.peer === network.self) return true;
    const known = this.#heard.get(head.peer) ?? this.#merged.get(head.peer);
    if (known !== undefined && known.sequence >= head.sequence) return true;
    this.#heard.set(head.peer, head);
    this.wake();
    return true;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { clock, merger } = this.#needs;
    if (merger === undefined) return "idle";
    if (clock.monotonicMs() >= this.#askAtMs) await this.#ask(signal);
    const [head] = this.#heard.values();
    if (head === undefined || clock.monotonicMs() < this.#tryAtMs) return "idle";
    try {
      await this.#take(head, merger, signal);
      return "busy";
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      this.#tryAtMs = clock.monotonicMs() + limits.devices.retryMs;
      this.#needs.log.debug("transfer.device.later", { peer: head.peer, why: describe(error) });
      return "idle";
    }
  }

  /** A few members: each was given every head, unless it was away. */
  async #ask(signal: AbortSignal): Promise<void> {
    const { network, groups, keys, clock, random } = this.#needs;
    const { askMs, askAloneMs, askedMax } = limits.devices;
    const online = network.peers().filter((peer) => peer.online).map(({ offer }) => offer.peer);
    const members = new Set(groups.all().flatMap(({ peers }) => peers));
    const some = shuffled(online.filter((peer) => members.has(peer)), random).slice(0, askedMax);
    const answers = await Promise.allSettled(some.map((peer) => {
      return network.records(peer, keys.owner, { signal });
    }));
    for (const answer of answers) {
      if (answer.status === "rejected") continue;
      const { head, others = [] } = answer.value;
      for (const one of head === undefined ? others : [head, ...others]) this.hear(one);
    }
    this.#askAtMs = clock.monotonicMs() + (this.#merged.size > 0 ? askMs : askAloneMs);
  }

  async #take(head: Head, merger: RootMerger, signal: AbortSignal): Promise<void> {
    const { keys, groups, catalog, books, log } = this.#needs;
    const payload = decodePayload(openRecord(keys.headKey, head.sealed));
    for (const manifest of payload.manifests.map(parseManifest)) {
      if (manifest.owner === keys.owner) await groups.adopt(manifest);
    }
    await this.#learn(await catalog.learn(payload), signal);
    await merger.merge(payload.root);
    await books.put(prefix + head.peer, head.bytes);
    this.#merged.set(head.peer, head);
    if (this.#heard.get(head.peer) === head) this.#heard.delete(head.peer);
    log.info("transfer.device.merged", { peer: head.peer, sequence: head.sequence });
  }

  /** So that this machine audits and mends what another one placed. */
  async #learn(entries: readonly CatalogEntry[], signal: AbortSignal): Promise<void> {
    for (const entry of entries) {
      try {
        await this.#needs.records.get(entry, signal);
      } catch (error) {
        if (!isFault(error, "Unavailable", "NotFound")) throw error;
        const { segment } = entry;
        this.#needs.log.debug("transfer.device.segment", { segment, why: describe(error) });
      }
    }
  }
}
