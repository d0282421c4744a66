/**
 * The folders of this drive that others may read. Sharing one moves nothing but a grant; from then
 * on each head of the drive is followed by a record of the folder, sealed to its readers, which the
 * holders keep (giving.ts). Shutting somebody out is the next record: holders refuse him from then
 * on, and whatever it says is under a key that he has not. Who reads follows from what the owner
 * said and from who is in which group now (ways.ts); of groups nothing else is written down here.
 */
import { sharingKeys } from "../base/book-keys.ts";
import { HiveError } from "../base/errors.ts";
import { Gate } from "../base/gate.ts";
import { type Ino, type Name, type PersonId, type ShareId, parseShareId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { GivenView } from "../base/sharing-views.ts";
import type { GiveQuestion, Grant, Loss, RevokeQuestion } from "../base/sharing.ts";
import { type PersonKeys, sealGrant } from "../crypt/grants.ts";
import { signGrant } from "../crypt/share-records.ts";
import type { WriteRight } from "../crypt/write-right.ts";
import type { Contact } from "./contacts.ts";
import { type GivenShare, decodeGiven, decodePath, encodePath, renewalKey } from "./given-books.ts";
import { rightFor, secretFor, watchFor } from "./given-keys.ts";
import { writersIn } from "./given-record.ts";
import { type GivenFacts, nameOfFolder, pathText, viewOf } from "./given-view.ts";
import { Giving, type GivingNeeds } from "./giving.ts";
import type { InboxEntry } from "./inbox-payload.ts";
import { personIdOf } from "./person-keys.ts";
import { type Audience, type Verifier, isSameAudience, lost, reachOf, verifiersIn }
  from "./ways.ts";

const { readersMax, sharesMax, grantPeersMax } = limits.sharing;

export interface GivenNeeds extends GivingNeeds {
  readonly person: PersonKeys;
  /** Is told of a folder that somebody could read whose time is over. */
  readonly expired: (path: readonly Name[], who: readonly PersonId[]) => Promise<void>;
}

/** Somebody who may write a folder of this drive. */
export interface GivenGuest {
  readonly share: ShareId;
  readonly ino: Ino;
  readonly person: PersonId;
  readonly number: number;
  readonly right: WriteRight;
}

export interface Watched extends Pick<GivenShare, "share" | "ino" | "path"> {
  readonly verifiers: readonly Verifier[];
}

/** What is given, to whomever. */
export type Giveaway = Omit<GiveQuestion, "who">;

/** People who come into a group or leave it. */
export interface GroupChange {
  readonly group: string;
  readonly people: readonly PersonId[];
}

/** Those who would lose a folder. */
export interface GivenLoss extends Pick<Loss, "ino" | "path"> {
  readonly people: readonly PersonId[];
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
    for await (const [key, value] of this.#needs.books.list(sharingKeys.given)) {
      const share = parseShareId(key.slice(2));
      this.#shares.set(share, new Giving(this.#needs, decodeGiven(share, value)));
    }
    for (const giving of this.#shares.values()) await giving.settle();
  }

  /** For one more reader, or the same one for another time. */
  async give(asked: Giveaway, to: Contact): Promise<Grant> {
    const { share, rights } = await this.#allow(asked, { kind: "person", person: to.person });
    const { shareSecret } = this.#needs.keys;
    const { person } = to;
    const isVerifier = asked.gives === "verify";
    const right = rights.get(person) ?? 0;
    const what = isVerifier
      ? watchFor(shareSecret, { share, person })
      : { share, secret: secretFor(shareSecret, { share, person, right }) };
    const gives = isVerifier ? "verify" : right > 0 ? "write" : "read";
    return this.#sign({ ...what, gives, name: nameOfFolder(asked.path) }, to);
  }

  /** For all who are in it, and will be: they find it in their inboxes. */
  async giveGroup(asked: Giveaway, group: string): Promise<void> {
    if (asked.gives === "verify") {
      throw new HiveError("Unsupported", "sharing.give", "to verify, for a group");
    }
    await this.#allow(asked, { kind: "group", group });
  }

  /** Who verifies which folder; nobody, of one that had some before. */
  watched(): readonly Watched[] {
    return this.#all().map((giving) => {
      const { share, ino, path } = giving.given;
      return { share, ino, path, verifiers: giving.verifiers() };
    });
  }

  /** Those who may write just now. */
  guests(): readonly GivenGuest[] {
    const { keys: { shareSecret }, clock } = this.#needs;
    return this.#all().flatMap((giving) => {
      const { share, ino } = giving.given;
      return writersIn(giving.readers(), clock.now()).map(({ person, right: number }) => {
        const right = rightFor(shareSecret, { share, person, number });
        return { share, ino, person, number, right };
      });
    });
  }

  /** What the groups that she is in give somebody. */
  inboxOf(person: PersonId): readonly InboxEntry[] {
    const { keys: { shareSecret }, clock } = this.#needs;
    return this.#all().flatMap((giving) => {
      const { share, path, ways, rights } = giving.given;
      const lasting = ways.filter(({ expiresAtMs }) => expiresAtMs > clock.now());
      const reach = giving.reachBy(lasting).find((one) => one.person === person);
      if (reach === undefined || reach.groups.length === 0) return [];
      const right = rights.get(person) ?? 0;
      const secret = secretFor(shareSecret, { share, person, right });
      return [{ share, writes: right > 0, secret, name: nameOfFolder(path) }];
    });
  }

  /** Those who would read no more if it were taken from this person or group. */
  lossesOf(ino: Ino | undefined, from: Audience): readonly GivenLoss[] {
    const giving = ino === undefined ? undefined : this.#of(ino);
    if (giving === undefined) return [];
    const { ways } = giving.given;
    const staying = ways.filter(({ to }) => !isSameAudience(to, from));
    return lossesIn(giving.given, lost(giving.reachBy(ways), giving.reachBy(staying)));
  }

  /** The same of people who are to leave a group. */
  lossesBy(change: GroupChange): readonly GivenLoss[] {
    return this.#withGroup(change.group).flatMap(({ given }) => {
      return lossesIn(given, this.#lostBy(change, given));
    });
  }

  /** It is so with all holders that answer when this resolves. */
  async revoke(
    { ino, path }: Omit<RevokeQuestion, "who">, from: Audience, signal: AbortSignal,
  ): Promise<void> {
    using _turn = await this.#enter();
    const giving = ino === undefined ? this.#at(path) : this.#of(ino);
    const { ways = [] } = giving?.given ?? {};
    const staying = ways.filter(({ to }) => !isSameAudience(to, from));
    if (giving === undefined || staying.length === ways.length) {
      throw new HiveError("NotFound", "sharing.revoke", "not shared with that person or group");
    }
    const isLess = lost(giving.reachBy(ways), giving.reachBy(staying)).length > 0;
    await giving.change({ ways: staying });
    if (ino !== undefined && isLess) await this.#renew(path);
    await giving.follow(signal);
  }

  /** All folders of the group have room for them, or nothing happens. */
  async join({ group, people }: GroupChange): Promise<void> {
    using _turn = await this.#enter();
    const { groups } = this.#needs;
    const shares = this.#withGroup(group);
    const joined = [...new Set([...groups.people(group), ...people])];
    const isFull = shares.some(({ given }) => {
      const then = reachOf(given.ways, (one) => one === group ? joined : groups.people(one));
      return then.length > readersMax;
    });
    if (isFull) throw new HiveError("Quota", "sharing.group", `${readersMax} readers`);
    await groups.add(group, people);
    for (const giving of shares) await giving.change({});
  }

  /** As `revoke` does it for each of them and each folder, unless they read it otherwise. */
  async leave(change: GroupChange, signal: AbortSignal): Promise<void> {
    using _turn = await this.#enter();
    const shares = this.#withGroup(change.group);
    for (const { path } of this.lossesBy(change)) await this.#renew(path);
    const stays = shares.length > 0;
    await this.#needs.groups.remove(change.group, change.people, { stays });
    for (const giving of shares) await giving.change({});
    await Promise.all(shares.map((giving) => giving.follow(signal)));
  }

  /** Where to begin again after a crash. */
  async renewing(): Promise<readonly (readonly Name[])[]> {
    const found: (readonly Name[])[] = [];
    const renewals = this.#needs.books.list(sharingKeys.renewal);
    for await (const [, value] of renewals) found.push(decodePath(value));
    return found;
  }

  folders(): readonly Ino[] {
    return this.#all().map(({ given }) => given.ino);
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
      await giving.follow(until);
    }
    return "idle";
  }

  list(
    nameOf: (person: PersonId) => string, wrote: GivenFacts["wrote"] = nothing,
  ): readonly GivenView[] {
    const { members, groups } = this.#needs;
    const holders = members();
    const shown = this.#all().filter(({ given }) => given.ways.length > 0);
    return shown.map((giving) => ({
      ...viewOf(giving.given, { readers: giving.readers(), people: groups.people, nameOf, wrote }),
      told: holders.filter((peer) => giving.isToldTo(peer)).length,
      holders: holders.length,
      trouble: giving.trouble,
    }));
  }

  /** The folders that are shared with a group, as people write them. */
  foldersOf(group: string): readonly string[] {
    const found = this.#withGroup(group).map((giving) => pathText(giving.given.path));
    return found.sort();
  }

  async #allow(
    { path, ino, expiresAtMs, gives = "read" }: Giveaway, to: Audience,
  ): Promise<GivenShare> {
    using _turn = await this.#enter();
    const giving = this.#of(ino) ?? this.#begin(ino);
    const way = { to, expiresAtMs: expiresAtMs ?? limits.records.timeMsMax, gives };
    const { ways: before } = giving.given;
    const ways = [...before.filter((one) => !isSameAudience(one.to, to)), way];
    // Taking away is another matter: what she knows is to be renewed.
    const isLess = lost(giving.reachBy(before), giving.reachBy(ways)).length > 0;
    if (isLess) throw new HiveError("Exists", "sharing.give", "reads it, which contains that");
    if (Math.max(giving.reachBy(ways).length, verifiersIn(ways).length) > readersMax) {
      throw new HiveError("Quota", "sharing.give", `${readersMax} people`);
    }
    await giving.change({ path, ways });
    this.#shares.set(giving.given.share, giving);
    return giving.given;
  }

  /** Holders go by the time themselves; the secrets that he has are this machine's to renew. */
  async #expire(giving: Giving): Promise<void> {
    const { path, ways } = giving.given;
    const nowMs = this.#needs.clock.now();
    const staying = ways.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
    if (staying.length === ways.length) return;
    const gone = lost(giving.reachBy(ways), giving.reachBy(staying));
    if (gone.length > 0) await this.#renew(path);
    await giving.change({ ways: staying });
    if (gone.length > 0) await this.#needs.expired(path, gone);
  }

  #sign(
    told: Pick<Grant, "share" | "gives" | "name"> & { readonly secret: Uint8Array }, to: Contact,
  ): Grant {
    const { keys, person, members } = this.#needs;
    const { secret, ...grant } = told;
    return signGrant(person, {
      ...grant, from: personIdOf(person), to: to.person, owner: keys.owner,
      peers: members().slice(0, grantPeersMax), sealed: sealGrant(to.sealPublic, secret),
    });
  }

  #lostBy({ group, people }: GroupChange, { ways }: GivenShare): readonly PersonId[] {
    const { groups } = this.#needs;
    const staying = groups.people(group).filter((person) => !people.includes(person));
    const after = reachOf(ways, (name) => name === group ? staying : groups.people(name));
    return lost(reachOf(ways, groups.people), after);
  }

  async #renew(path: readonly Name[]): Promise<void> {
    await this.#needs.books.put(renewalKey(path), encodePath(path));
  }

  #enter(): Promise<Disposable> {
    this.#hurry.abort(new HiveError("Interrupted", "sharing.tell", "readers changed"));
    return this.#turn.enter();
  }

  #all(): readonly Giving[] {
    return [...this.#shares.values()];
  }

  #of(ino: Ino): Giving | undefined {
    return this.#all().find(({ given }) => given.ino === ino);
  }

  #at(path: readonly Name[]): Giving | undefined {
    const place = path.join("/");
    return this.#all().find(({ given }) => given.path.join("/") === place);
  }

  #withGroup(group: string): readonly Giving[] {
    return this.#all().filter((giving) => giving.isWithGroup(group));
  }

  #begin(ino: Ino): Giving {
    if (this.#shares.size >= sharesMax) {
      throw new HiveError("Quota", "sharing.give", `${sharesMax} folders`);
    }
    const share = parseShareId(this.#needs.random.bytes(16).toString("hex"));
    const given = { share, ino, path: [], sequence: 0, ways: [], rights: new Map() };
    return new Giving(this.#needs, given);
  }
}

const nothing = () => ({ wroteAt: null, trouble: null });

function lossesIn(
  { ino, path }: GivenShare, people: readonly PersonId[],
): readonly GivenLoss[] {
  return people.length === 0 ? [] : [{ ino, path, people }];
}
