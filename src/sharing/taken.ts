/**
 * The folders of others that this machine's person may read. It looks for newer states with those
 * who keep them, whether their owner is there or not, remembers the newest, and never goes back
 * behind it. What they hold is read through `Borrowed`, block by block, when somebody wants it.
 *
 *   t/OWNER/SHARE  bytes name | bytes grant | bytes newest record, empty before the first
 *                  | bytes seed of the person whom a link made, where it came by one
 */
import type { KeyValue } from "../base/blocks.ts";
import { Reader, Writer, asBuffer } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError, isFault } from "../base/errors.ts";
import { type Cid, type Name, type PeerId, nameFromText, nameToText } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { KnownPeer, PeerNetwork } from "../base/network.ts";
import { type Random, shuffled } from "../base/random.ts";
import type { Grant, ShareNetwork, SharedRoots, TakenView } from "../base/sharing.ts";
import type { DeviceCertificate } from "../base/records.ts";
import { type PersonKeys, personKeysOf } from "../crypt/grants.ts";
import { encodeShareAsk, parseGrant } from "../crypt/share-records.ts";
import type { Coder } from "../erasure/erasure.ts";
import { Borrowed } from "../transfer/borrowed.ts";
import type { ReadBlock } from "./folder.ts";
import { type Held, type OpenedShare, openShare, takeGrant } from "./opened.ts";

const { askedPerLookMax, lookMs, restMsMin, restMsMax } = limits.sharing;
const { takenLinksMax, takenMax } = limits.sharing;

export interface TakenNeeds {
  readonly books: KeyValue;
  readonly person: PersonKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly network: PeerNetwork & ShareNetwork;
  readonly coder: Coder;
  readonly read: ReadBlock;
  readonly roots: SharedRoots;
  readonly mayReadAhead: (bytes: number) => boolean;
  readonly certifier: (person: PersonKeys) => () => readonly DeviceCertificate[];
}

/** A grant to this user, or with the seed of the person whom a link makes to her. */
interface Offered {
  readonly grant: Grant;
  readonly seed?: Uint8Array | undefined;
}

interface Taking {
  readonly name: Name;
  readonly held: Held;
  /** Where it came by a link: of the person whom that makes, and by which we act for her. */
  readonly seed: Uint8Array | undefined;
  readonly certify: (() => readonly DeviceCertificate[]) | undefined;
  readonly blocks: Borrowed;
  opened: OpenedShare | undefined;
  isShown: boolean;
  trouble: string | null;
  nextAtMs: number;
  restMs: number;
}

export class Taken {
  readonly #needs: TakenNeeds;
  /** The one that a block was found in last first. */
  #taken: Taking[] = [];

  constructor(needs: TakenNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    for await (const [, value] of this.#needs.books.list("t/")) {
      const reader = new Reader(value, "sharing.taken");
      const [name, grant, record] = [reader.bytes(), reader.bytes(), reader.bytes()];
      const seed = reader.restBytes === 0 ? {} : { seed: reader.bytes() };
      reader.end();
      const given = { grant: parseGrant(grant), ...seed };
      const taking = this.#begin(nameFromText(name.toString()), given);
      const { held } = taking;
      if (record.length > 0) await this.#show(taking, openShare(held, record, 0));
    }
  }

  async accept({ grant, seed }: Offered, given: string | null): Promise<Name> {
    const name = nameFromText(given ?? grant.name);
    const isSame = ({ held: { grant: other } }: Taking) =>
      other.owner === grant.owner && other.share === grant.share;
    const known = this.#taken.find(isSame);
    if (known !== undefined && given !== null && known.name !== name) {
      throw new HiveError("Exists", "sharing.accept", nameToText(known.name));
    }
    if (known !== undefined) return known.name;
    const isTaken = this.#taken.some((taking) => taking.name === name);
    if (isTaken) throw new HiveError("Exists", "sharing.accept", nameToText(name));
    if (this.#taken.length >= takenMax) throw new HiveError("Quota", "sharing.accept", "folders");
    const links = this.#taken.filter(({ certify }) => certify !== undefined).length;
    if (seed !== undefined && links >= takenLinksMax) {
      throw new HiveError("Quota", "sharing.accept", "links");
    }
    const taking = this.#begin(name, { grant, seed });
    await this.#keep(taking);
    return name;
  }

  /** By which this node acts for the people whom links made. */
  certificates(): readonly DeviceCertificate[] {
    return this.#taken.flatMap(({ certify }) => certify?.() ?? []);
  }

  async forget(text: string): Promise<void> {
    const name = nameFromText(text);
    const taking = this.#taken.find((one) => one.name === name);
    if (taking === undefined) throw new HiveError("NotFound", "sharing.forget", text);
    this.#taken = this.#taken.filter((one) => one !== taking);
    await this.#needs.books.delete(keyOf(taking));
    await this.#hide(taking);
  }

  list(nameOf: (grant: Grant) => string): readonly TakenView[] {
    return this.#taken.map(({ name, held, opened, trouble }) => ({
      name: nameToText(name),
      from: nameOf(held.grant),
      stateOf: opened === undefined ? null : new Date(opened.record.publishedAtMs).toISOString(),
      trouble: trouble ?? (opened === undefined ? "waits for its first state" : null),
    }));
  }

  /** Waits for the next look by itself: the pauses of a loop would make it late. */
  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { clock } = this.#needs;
    if (this.#taken.length === 0) return "idle";
    const restMs = Math.min(...this.#taken.map(({ nextAtMs }) => nextAtMs)) - clock.monotonicMs();
    if (restMs > 0) await clock.delay(Math.min(restMs, lookMs), signal);
    const due = this.#taken.filter(({ nextAtMs }) => nextAtMs <= clock.monotonicMs());
    await Promise.all(due.map((taking) => this.#look(taking, signal)));
    return "busy";
  }

  /** NotFound when no folder of others names it. */
  async fetch(cid: Cid, options: { readonly signal?: AbortSignal }): Promise<Uint8Array> {
    for (const taking of [...this.#taken]) {
      try {
        const bytes = await taking.blocks.fetch(cid, options);
        this.#taken.sort((a, b) => Number(b === taking) - Number(a === taking));
        return bytes;
      } catch (error) {
        if (!isFault(error, "NotFound")) throw error;
      }
    }
    throw new HiveError("NotFound", "sharing.fetch", cid);
  }

  #begin(name: Name, { grant, seed }: Offered): Taking {
    const { person, certifier } = this.#needs;
    const keys = seed === undefined ? person : personKeysOf(seed);
    const held = takeGrant(keys, grant);
    const certify = seed === undefined ? undefined : certifier(keys);
    const blocks = new Borrowed({ ...this.#needs, owner: held.grant.owner });
    const taking: Taking = {
      name, held, seed, certify, blocks, opened: undefined, isShown: false, trouble: null,
      nextAtMs: -Infinity, restMs: restMsMin,
    };
    this.#taken.push(taking);
    return taking;
  }

  /** One answer is enough, be it that there is nothing newer; the next look asks somebody else. */
  async #look(taking: Taking, signal: AbortSignal): Promise<void> {
    const refused: string[] = [];
    let failed = "nobody who keeps it is known";
    for (const peer of this.#askable(taking).slice(0, askedPerLookMax)) {
      try {
        await this.#ask(taking, peer, signal);
        return this.#after(taking, { heard: true, trouble: null });
      } catch (error) {
        if (!isFault(error)) throw error;
        failed = describe(error);
        if (error.kind === "Denied") refused.push(peer);
        this.#needs.log.debug("sharing.look", { peer, why: failed });
      }
    }
    const isShutOut = refused.length > 1;
    if (isShutOut) await this.#hide(taking);
    const trouble = isShutOut ? "not shared with this person any more" : failed;
    this.#after(taking, { heard: false, trouble });
  }

  #after(taking: Taking, { heard, trouble }: { heard: boolean; trouble: string | null }): void {
    const pauseMs = heard ? lookMs : taking.restMs;
    taking.restMs = heard ? restMsMin : Math.min(taking.restMs * 2, restMsMax);
    taking.trouble = trouble;
    taking.nextAtMs = this.#needs.clock.monotonicMs() + pauseMs;
  }

  /** Those online first, in any order: one that missed the newest state is not asked every time. */
  #askable({ blocks, held }: Taking): readonly PeerId[] {
    const { network, random } = this.#needs;
    const known = network.peers();
    const online = new Set(known.filter((peer) => peer.online).map(idOf));
    const members = new Set([...blocks.members(), ...held.grant.peers]);
    const inOrder = shuffled([...members], random);
    const nearest = inOrder.sort((a, b) => Number(online.has(b)) - Number(online.has(a)));
    // Who kept it at first may all be gone: then whoever is known may know.
    const others = shuffled([...online].filter((peer) => !members.has(peer)), random);
    return blocks.members().length === 0 ? [...nearest, ...others] : nearest;
  }

  async #ask(taking: Taking, peer: PeerId, signal: AbortSignal): Promise<void> {
    const { owner, share } = taking.held.grant;
    const sequence = taking.opened?.record.sequence ?? 0;
    const ask = encodeShareAsk({ owner, share, sequence });
    const answer = await this.#needs.network.share(peer, "get", ask, { signal });
    if (answer.length > 0) {
      await this.#show(taking, openShare(taking.held, asBuffer(answer), sequence));
      await this.#keep(taking);
      await taking.blocks.refresh(peer, signal);
    } else if (!taking.isShown && taking.opened !== undefined) {
      await this.#show(taking, taking.opened);
    }
  }

  async #show(taking: Taking, opened: OpenedShare): Promise<void> {
    taking.opened = opened;
    taking.blocks.adopt(opened.payload);
    taking.isShown = true;
    const { root } = opened.payload;
    await this.#needs.roots.shared({ name: taking.name, root });
  }

  async #hide(taking: Taking): Promise<void> {
    if (!taking.isShown) return;
    taking.isShown = false;
    await this.#needs.roots.shared({ name: taking.name, root: undefined });
  }

  async #keep(taking: Taking): Promise<void> {
    const writer = new Writer(4096).bytes(Buffer.from(nameToText(taking.name)));
    writer.bytes(taking.held.grant.bytes);
    writer.bytes(taking.opened?.record.bytes ?? Buffer.alloc(0));
    if (taking.seed !== undefined) writer.bytes(taking.seed);
    await this.#needs.books.put(keyOf(taking), writer.finish());
  }
}

function keyOf({ held: { grant: { owner, share } } }: Taking): string {
  return `t/${owner}/${share}`;
}

function idOf({ offer }: KnownPeer): PeerId {
  return offer.peer;
}
