/**
 * A network in one process that looks different from each node, and that a test can cut: who is on
 * another side is not reached. Holders are real vaults; devices answer each other and hear heads.
 * There is no DHT. It gives out what the port says, checked where the port says so.
 */
import type { Clock } from "../../src/base/clock.ts";
import type { DeviceHost, DeviceNetwork } from "../../src/base/devices.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { OwnerId, PeerId } from "../../src/base/ids.ts";
import type { CallOptions, KnownPeer, PeerNetwork, Requester, ShardHost }
  from "../../src/base/network.ts";
import type { Offer } from "../../src/base/records.ts";
import type { ShareHost, ShareNetwork } from "../../src/base/sharing.ts";
import type { PeerKeys } from "../../src/crypt/ciphers/peer-key.ts";
import { parseHead, parseManifest, parseReceipt, parseSegmentRecord, signOffer }
  from "../../src/crypt/records/records.ts";

export interface TownMember {
  readonly keys: PeerKeys;
  readonly household: string;
  /** Keeps shards and records; a device without a vault only hears of heads. */
  readonly host: ShardHost & Partial<ShareHost & DeviceHost>;
}

export type TownView = PeerNetwork & DeviceNetwork & ShareNetwork;

export class TownNetwork {
  readonly members = new Map<PeerId, TownMember>();
  /** On which side of a cut each is; on 0 if not told. */
  readonly sides = new Map<PeerId, number>();
  readonly clock: Clock;
  /** Of shards that each node sent. */
  readonly storedBytes = new Map<PeerId, number>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  offerOf({ keys, household, host }: TownMember): Offer {
    const atMs = this.clock.now();
    return signOffer(keys, { atMs, household, country: "DE", addresses: [], ...host.space() });
  }

  reaches(from: PeerId, to: PeerId): boolean {
    const isThere = this.members.has(to) && this.members.has(from);
    return isThere && (this.sides.get(from) ?? 0) === (this.sides.get(to) ?? 0);
  }

  peersFor(self: PeerId): readonly KnownPeer[] {
    return [...this.members.values()].filter(({ keys: { peer } }) => peer !== self).map((member) => ({
      offer: this.offerOf(member), online: this.reaches(self, member.keys.peer),
      roundTripMs: 2, lastSeenMs: this.clock.now(),
    }));
  }

  /** As the node with these keys sees it, which acts for these owners. */
  seenBy({ peer: self }: PeerKeys, owners: () => readonly OwnerId[]): TownView {
    const ask = async <T>(
      to: PeerId, { signal }: CallOptions,
      act: (host: TownMember["host"], from: Requester) => Promise<T>,
    ): Promise<T> => {
      signal?.throwIfAborted();
      const member = this.members.get(to);
      if (member === undefined || !this.reaches(self, to)) throw fault("Unavailable", to);
      const answer = await act(member.host, { peer: self, owners: owners() });
      // What went out before the cut may have been done, but nobody hears so.
      if (!this.reaches(self, to)) throw fault("Unavailable", to);
      signal?.throwIfAborted();
      return answer;
    };
    const own = (): Offer => this.offerOf(this.members.get(self) as TownMember);
    const calls = asking(ask);
    return { self, offer: own, peers: () => this.peersFor(self), ...calls, ...silentDht,
      store: (...asked) => {
        this.storedBytes.set(self, (this.storedBytes.get(self) ?? 0) + asked[2].length);
        return calls.store(...asked);
      },
    };
  }
}

type Ask = <T>(
  to: PeerId, options: CallOptions,
  act: (host: TownMember["host"], from: Requester) => Promise<T>,
) => Promise<T>;

const silentDht = {
  publish: async () => undefined,
  resolveHead: async () => undefined,
  resolveManifest: async () => undefined,
};

function asking(ask: Ask): Omit<TownView, "self" | "offer" | "peers" | keyof typeof silentDht> {
  return {
    async store(to, { record, manifest, index, policy }, shard, options = {}) {
      const told = { record: record.bytes, manifest: manifest.bytes, index };
      const wire = policy === undefined ? told : { ...told, policy };
      // A real stream lends the receiver a copy.
      const copy = Buffer.from(shard);
      return parseReceipt(await ask(to, options, (host, from) => host.store(from, wire, copy)));
    },
    read(to, shard, range, options = {}) {
      options.begun?.();
      return ask(to, options, (host, from) => host.read(from, shard, range));
    },
    prove: (to, challenge, options = {}) =>
      ask(to, options, (host, from) => host.prove(from, challenge)),
    release: (to, release, options = {}) =>
      ask(to, options, (host, from) => host.release(from, release)),
    putRecord: (to, record, options = {}) => ask(to, options, (host, from) => {
      const kind = "sealed" in record ? "head" : "manifest";
      return host.putRecord(from, kind, record.bytes, options.policy);
    }),
    async records(to, owner, options = {}) {
      const found = await ask(to, options, (host, from) => host.records(from, owner));
      return {
        head: found.head === undefined ? undefined : parseHead(found.head),
        others: (found.others ?? []).map((bytes) => parseHead(bytes)),
        manifests: found.manifests.map((bytes) => parseManifest(bytes)),
      };
    },
    async segments(to, owner, after, options = {}) {
      const asked = { after, limit: 256 };
      const page = await ask(to, options, (host, from) => host.segments(from, owner, asked));
      return page.map((bytes) => parseSegmentRecord(bytes));
    },
    device: (to, act, payload, options = {}) => ask(to, options, async (host, from) => {
      if (host.device === undefined) throw fault("Unsupported", to);
      return Buffer.from(await host.device(from, act, Buffer.from(payload)));
    }),
    share: (to, act, payload, options = {}) => ask(to, options, async (host, from) => {
      if (host.share === undefined) throw fault("Unsupported", to);
      return Buffer.from(await host.share(from, act, Buffer.from(payload)));
    }),
  };
}

/** What a node answers that keeps nothing for others. */
export const emptyHost: ShardHost = {
  store: refuse, read: refuse, prove: refuse, release: refuse, putRecord: refuse, records: refuse,
  segments: refuse, space: () => ({ quotaBytes: 0, freeBytes: 0 }),
};

async function refuse(): Promise<never> {
  throw fault("NotFound", "nothing is kept here");
}

function fault(kind: "Unavailable" | "Unsupported" | "NotFound", subject: string): HiveError {
  return new HiveError(kind, "town", subject);
}
