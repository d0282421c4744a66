/**
 * The owner's machine, one holder that says whatever it was given, and whoever takes in what a
 * guest's record holds.
 */
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { OwnerId, PeerId } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import type { PeerNetwork } from "../../src/base/network.ts";
import type { GuestRoot, Share, ShareNetwork } from "../../src/base/sharing.ts";
import { decodeShareAsk } from "../../src/crypt/records/share-records.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import type { GivenGuest } from "../../src/sharing/given/given.ts";
import { GuestHeads } from "../../src/sharing/guests/guest-heads.ts";
import { type Roster, noRoster } from "../../src/sharing/records/roster.ts";
import type { ShareMaker } from "./share-maker.ts";
import { MemoryBooks, ShiftedClock } from "./transfer-world.ts";

const never = new AbortController().signal;

export class OwnerLooks {
  /** What the holder answers; undefined where it has nothing. */
  answer: Share | undefined;
  /** Where it tells by whom it is asked about. */
  answers: ReadonlyMap<OwnerId, Share | undefined> | undefined;
  guests: readonly GivenGuest[];
  /** The further ones that the guest writes on. */
  devices: Roster = noRoster;
  readonly clock: ShiftedClock;
  written: GuestHeads;
  readonly #open: () => GuestHeads;

  constructor(
    maker: ShareMaker, guests: readonly GivenGuest[],
    takeIn: (news: GuestRoot) => Promise<boolean>,
  ) {
    this.guests = guests;
    const clock: ShiftedClock = Object.assign(new ShiftedClock(), {
      monotonicMs: () => systemClock.monotonicMs() + clock.shiftMs,
    });
    this.clock = clock;
    const books = new MemoryBooks();
    const peers = ["12D3KooWA".padEnd(52, "a") as PeerId];
    const network = {
      peers: () => [],
      records: async () => { throw new HiveError("Unavailable", "test", "records"); },
      share: async (...[, , payload]: Parameters<ShareNetwork["share"]>) => {
        const asked = decodeShareAsk(payload);
        const answer = this.answers === undefined ? this.answer : this.answers.get(asked.owner);
        if (answer === undefined) throw new HiveError("NotFound", "test", asked.share);
        return answer.bytes;
      },
    } as unknown as PeerNetwork & ShareNetwork;
    this.#open = () => new GuestHeads({
      books, person: maker.owner, clock, random: maker.random, log: silentLog, network,
      coder: openCoder(), read: async () => Buffer.alloc(0), members: () => peers,
      guests: () => this.guests, devicesOf: () => this.devices, nameOf: () => "Ben", roots: { written: takeIn },
      mayReadAhead: () => false,
    });
    this.written = this.#open();
  }

  restart(): void {
    this.written = this.#open();
  }

  async step(): Promise<"busy" | "idle"> {
    this.clock.shiftMs += 120_000;
    return this.written.step(never);
  }

  /** Looks at the holder once, and tells what `hive shares` says of it. */
  async look(record: Share | undefined): Promise<string | null> {
    this.answer = record;
    await this.step();
    const { share, person } = this.guests[0] as GivenGuest;
    return this.written.wrote(share, person).trouble;
  }
}
