/**
 * The folders of this drive that others may read. Sharing one moves nothing but a grant; from then
 * on each head of the drive is followed by a record of the folder, sealed to its readers, which the
 * holders keep. Shutting somebody out is the next record: holders refuse him from then on, and
 * whatever it says is under a key that he has not. It names only what a published head names.
 */
import type { KeyValue } from "../base/blocks.ts";
import { asBuffer } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError, isFault } from "../base/errors.ts";
import { Gate } from "../base/gate.ts";
import { type Ino, type Name, type PeerId, type PersonId, type ShareId, nameToText, parseShareId }
  from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { GiveQuestion, GivenView, Grant, RevokeQuestion, Share, ShareNetwork }
  from "../base/sharing.ts";
import { openRecord, sealRecord } from "../crypt/aead.ts";
import type { DriveKeys } from "../crypt/drive.ts";
import { type PersonKeys, sealGrant } from "../crypt/grants.ts";
import { keyBytes } from "../crypt/keys.ts";
import { readerKeyOf, signGrant, signShare, wrapKey } from "../crypt/share-records.ts";
import { treeKeys } from "../dag/keys.ts";
import { openRoot } from "../dag/root.ts";
import type { Published } from "../transfer/publish.ts";
import type { Contact } from "./contacts.ts";
import { type ReadBlock, findFolder, rootOf } from "./folder.ts";
import { type GivenReader, type GivenShare, decodeGiven, decodePath, encodeGiven, encodePath,
  renewalKey } from "./given-books.ts";
import { decodeSharePayload, encodeSharePayload, sealPayload } from "./payload.ts";
import { personIdOf } from "./person-keys.ts";

const { readersMax, sharesMax, tellAgainMs, grantPeersMax, unchangedMs } = limits.sharing;

export interface GivenNeeds {
  readonly books: KeyValue;
  readonly keys: DriveKeys;
  readonly person: PersonKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly network: ShareNetwork;
  readonly published: () => Promise<Published | undefined>;
  /** Is told of a folder that somebody could read whose time is over. */
  readonly expired: (path: readonly Name[], who: readonly PersonId[]) => Promise<void>;
  /** Whoever keeps the drive's shards. */
  readonly members: () => readonly PeerId[];
  readonly read: ReadBlock;
}

/** A share at work. */
interface Giving {
  given: GivenShare;
  /** The record that counts; undefined before the first of this life. */
  record: Share | undefined;
  /** Which head it follows, what that says of the folder, and since when it does. */
  head: number;
  root: Uint8Array | undefined;
  madeAtMs: number;
  /** Who may read is another by now than the record says. */
  isNews: boolean;
  readonly told: Set<PeerId>;
  toldAtMs: number;
  trouble: string | null;
}

/** What a record is to hold. */
interface Made {
  readonly payload: Uint8Array;
  readonly root: Uint8Array;
}

export class Given {
  readonly #needs: GivenNeeds;
  readonly #shares = new Map<ShareId, Giving>();
  readonly #turn = new Gate({ seats: 1, queueMax: 64 });
  /** Whoever waits for the turn need not wait for holders that do not answer. */
  #hurry = new AbortController();

  constructor(needs: GivenNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    for await (const [key, value] of this.#needs.books.list("g/")) {
      const share = parseShareId(key.slice(2));
      this.#shares.set(share, beginning(decodeGiven(share, value)));
    }
  }

  /** For one more reader, or the same one for another time. */
  async give({ path, ino, expiresAtMs }: GiveQuestion, to: Contact): Promise<Grant> {
    using _turn = await this.#enter();
    const giving = this.#of(ino) ?? this.#begin(ino);
    const { share, readers } = giving.given;
    const others = readers.filter(({ person }) => person !== to.person);
    if (others.length >= readersMax) throw new HiveError("Quota", "sharing.give", to.name);
    const reader = { person: to.person, expiresAtMs: expiresAtMs ?? limits.records.timeMsMax };
    await this.#keep(giving, { path, readers: [...others, reader] });
    this.#shares.set(share, giving);
    giving.isNews = true;
    const { keys, person } = this.#needs;
    return signGrant(person, {
      from: personIdOf(person), to: to.person, owner: keys.owner, share,
      name: nameOf(path), peers: this.#needs.members().slice(0, grantPeersMax),
      sealed: sealGrant(to.sealPublic, readerKeyOf(keys.shareSecret, share, to.person)),
    });
  }

  /** It is so with all holders that answer when this resolves. */
  async revoke(
    { ino, path }: Omit<RevokeQuestion, "person">, person: PersonId, signal: AbortSignal,
  ): Promise<void> {
    using _turn = await this.#enter();
    const giving = ino === undefined ? this.#at(path) : this.#of(ino);
    const { readers = [] } = giving?.given ?? {};
    const staying = readers.filter((reader) => reader.person !== person);
    if (giving === undefined || staying.length === readers.length) {
      throw new HiveError("NotFound", "sharing.revoke", "not shared with that person");
    }
    await this.#keep(giving, { readers: staying });
    if (ino !== undefined) await this.#needs.books.put(renewalKey(path), encodePath(path));
    giving.isNews = true;
    await this.#follow(giving, signal);
  }

  /** Where to begin again after a crash. */
  async renewing(): Promise<readonly (readonly Name[])[]> {
    const found: (readonly Name[])[] = [];
    for await (const [, value] of this.#needs.books.list("r/")) found.push(decodePath(value));
    return found;
  }

  folders(): readonly Ino[] {
    return [...this.#shares.values()].map(({ given }) => given.ino);
  }

  async renewed(path: readonly Name[]): Promise<void> {
    await this.#needs.books.delete(renewalKey(path));
  }

  /** After each head, and whenever readers changed, all holders hear of it. */
  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    using _turn = await this.#turn.enter(signal);
    this.#hurry = new AbortController();
    const until = AbortSignal.any([signal, this.#hurry.signal]);
    for (const giving of this.#shares.values()) {
      if (until.aborted) break;
      await this.#expire(giving);
      await this.#follow(giving, until);
    }
    return "idle";
  }

  /** Holders go by the time themselves; the secrets that he has are this machine's to renew. */
  async #expire(giving: Giving): Promise<void> {
    const { path, readers } = giving.given;
    const nowMs = this.#needs.clock.now();
    const staying = readers.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
    if (staying.length === readers.length) return;
    await this.#needs.books.put(renewalKey(path), encodePath(path));
    await this.#keep(giving, { readers: staying });
    giving.isNews = true;
    const gone = readers.filter((reader) => !staying.includes(reader));
    await this.#needs.expired(path, gone.map(({ person }) => person));
  }

  list(nameOf: (person: PersonId) => string): readonly GivenView[] {
    const members = this.#needs.members();
    const shown = [...this.#shares.values()].filter(({ given }) => given.readers.length > 0);
    return shown.map(({ given, told, trouble }) => ({
      path: `/${given.path.map(nameToText).join("/")}`,
      with: given.readers.map((reader) => viewOf(reader, nameOf)),
      told: members.filter((peer) => told.has(peer)).length,
      holders: members.length,
      trouble,
    }));
  }

  #enter(): Promise<Disposable> {
    this.#hurry.abort(new HiveError("Interrupted", "sharing.tell", "readers changed"));
    return this.#turn.enter();
  }

  #of(ino: Ino): Giving | undefined {
    return [...this.#shares.values()].find(({ given }) => given.ino === ino);
  }

  #at(path: readonly Name[]): Giving | undefined {
    const place = path.join("/");
    return [...this.#shares.values()].find(({ given }) => given.path.join("/") === place);
  }

  #begin(ino: Ino): Giving {
    if (this.#shares.size >= sharesMax) {
      throw new HiveError("Quota", "sharing.give", `${sharesMax} folders`);
    }
    const share = parseShareId(this.#needs.random.bytes(16).toString("hex"));
    return beginning({ share, ino, path: [], sequence: 0, readers: [] });
  }

  async #follow(giving: Giving, signal: AbortSignal): Promise<void> {
    try {
      const published = await this.#needs.published();
      if (this.#isDue(giving, published)) await this.#make(giving, published);
      await this.#tell(giving, signal);
    } catch (error) {
      if (!isFault(error)) throw error;
      giving.trouble = describe(error);
      this.#needs.log.warn("sharing.given", { why: giving.trouble });
    }
  }

  #isDue(giving: Giving, published: Published | undefined): boolean {
    if (giving.isNews) return true;
    return published !== undefined && published.sequence !== giving.head;
  }

  async #make(giving: Giving, published: Published | undefined): Promise<void> {
    const { books, clock, keys, random } = this.#needs;
    const made = published === undefined
      ? await this.#lastPayload(giving)
      : await this.#payloadOf(giving, published);
    if (made === undefined || this.#isKnown(giving, made.root)) return;
    const { payload } = made;
    const sequence = giving.given.sequence + 1;
    // Written down first: whatever crashes in between, it is never used twice.
    await this.#keep(giving, { sequence });
    const { share, readers } = giving.given;
    const nowMs = clock.now();
    const key = random.bytes(keyBytes);
    const wrapped = readers.filter(({ expiresAtMs }) => expiresAtMs > nowMs).map((reader) => {
      const own = readerKeyOf(keys.shareSecret, share, reader.person);
      return { ...reader, key: wrapKey(own, key, sequence, random) };
    });
    const sealed = sealPayload(key, payload, { owner: keys.owner, share, sequence }, random);
    const told = { share, sequence, publishedAtMs: nowMs, readers: wrapped, sealed };
    giving.record = signShare(keys, told);
    giving.head = published?.sequence ?? 0;
    giving.root = made.root;
    giving.madeAtMs = clock.monotonicMs();
    giving.isNews = false;
    giving.told.clear();
    giving.toldAtMs = -Infinity;
    await books.put(`l/${share}`, sealRecord(keys.localKey, payload, random));
  }

  /** Most commits are of other folders: nobody is told that nothing happened. */
  #isKnown({ isNews, root, madeAtMs }: Giving, now: Uint8Array): boolean {
    const isSame = !isNews && root !== undefined && asBuffer(root).equals(now);
    return isSame && this.#needs.clock.monotonicMs() - madeAtMs < unchangedMs;
  }

  /** Undefined when the folder is not there any more, or not with peers yet. */
  async #payloadOf(giving: Giving, published: Published): Promise<Made | undefined> {
    const { keys, read } = this.#needs;
    const root = openRoot(treeKeys(keys.treeSecret), published.root);
    const found = await findFolder(root, giving.given, read);
    giving.trouble = found === undefined ? "not with peers yet, or deleted" : null;
    // Shutting out goes on without the folder.
    if (found === undefined) return giving.isNews ? this.#lastPayload(giving) : undefined;
    if (found.path !== giving.given.path) await this.#keep(giving, { path: found.path });
    const { catalogKey } = keys;
    const { ino } = giving.given;
    const made = rootOf(found);
    // What is held back of the drive is nobody's business.
    const { standIn: _, ...told } = published;
    const payload = encodeSharePayload({ ...told, root: made, ino, catalogKey });
    return { payload, root: made };
  }

  async #lastPayload({ given }: Giving): Promise<Made | undefined> {
    const sealed = await this.#needs.books.get(`l/${given.share}`);
    if (sealed === undefined) return undefined;
    const payload = openRecord(this.#needs.keys.localKey, sealed);
    return { payload, root: decodeSharePayload(payload).root };
  }

  /** Whoever was away hears it a little later. */
  async #tell(giving: Giving, signal: AbortSignal): Promise<void> {
    const { record, told } = giving;
    const { clock, members, network } = this.#needs;
    if (record === undefined || clock.monotonicMs() - giving.toldAtMs < tellAgainMs) return;
    giving.toldAtMs = clock.monotonicMs();
    const untold = members().filter((peer) => !told.has(peer));
    await Promise.all(untold.map(async (peer) => {
      try {
        await network.share(peer, "put", record.bytes, { signal });
        if (giving.record === record) told.add(peer);
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#needs.log.debug("sharing.missed", { peer, why: describe(error) });
      }
    }));
    if (signal.aborted) giving.toldAtMs = -Infinity;
  }

  async #keep(giving: Giving, change: Partial<GivenShare>): Promise<void> {
    const given = { ...giving.given, ...change };
    await this.#needs.books.put(`g/${given.share}`, encodeGiven(given));
    giving.given = given;
  }
}

function beginning(given: GivenShare): Giving {
  const never = { record: undefined, root: undefined, trouble: null };
  const noTimes = { toldAtMs: -Infinity, madeAtMs: -Infinity };
  return { given, head: 0, ...never, ...noTimes, isNews: true, told: new Set() };
}

function nameOf(path: GiveQuestion["path"]): string {
  const last = path.at(-1);
  return last === undefined ? "Hive" : nameToText(last).replace(/\p{Cc}/gu, "_");
}

function viewOf({ person, expiresAtMs }: GivenReader, nameOf: (person: PersonId) => string) {
  const isForEver = expiresAtMs === limits.records.timeMsMax;
  const expiresAt = isForEver ? null : new Date(expiresAtMs).toISOString();
  return { name: nameOf(person), expiresAt };
}
