/** The owner's machine as it hears on which devices guests write, and one holder that says it. */
import { tieKeys } from "../../src/base/book-keys.ts";
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { PeerId, ShareId } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import type { PeerNetwork } from "../../src/base/network.ts";
import type { Share, ShareNetwork } from "../../src/base/sharing.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { folderTie } from "../../src/sharing/given/given-ties.ts";
import type { GivenGuest } from "../../src/sharing/given/given.ts";
import { GuestDevices } from "../../src/sharing/guests/guest-devices.ts";
import { devicesIn } from "../../src/sharing/records/roster.ts";
import { TieSeals } from "../../src/sharing/ties/tie-seals.ts";
import { Tied } from "../../src/sharing/ties/tied.ts";
import type { ShareMaker } from "./share-maker.ts";
import { MemoryBooks, ShiftedClock } from "./transfer-world.ts";

const desk = peerKeysOf(Buffer.alloc(32, 7)).peer;
const never = new AbortController().signal;

export class OwnerHears {
  /** What the holder answers; undefined where it has nothing. */
  answer: Share | undefined;
  /** How often folders were to be told of anew. */
  told = 0;
  readonly #guests: readonly GivenGuest[];
  readonly #clock: ShiftedClock;
  readonly #open: () => GuestDevices;
  /** The folder is the drive's to give, or nothing that belongs to it would stay. */
  readonly #give: () => Promise<void>;
  #devices: GuestDevices;

  constructor(maker: ShareMaker, guests: readonly GivenGuest[], numbers: ReadonlySet<number>) {
    this.#guests = guests;
    const clock: ShiftedClock = Object.assign(new ShiftedClock(), {
      monotonicMs: () => systemClock.monotonicMs() + clock.shiftMs,
    });
    this.#clock = clock;
    const parts = { books: new MemoryBooks(), clock, log: silentLog };
    const seals = new TieSeals(maker.drive.shareSecret);
    const tied = new Tied({
      ...parts, self: desk, seals, roots: { tied: async () => undefined },
    });
    const network = {
      peers: () => [],
      share: async (...[to]: Parameters<ShareNetwork["share"]>) => {
        if (this.answer === undefined) throw new HiveError("NotFound", "test", to);
        return this.answer.bytes;
      },
    } as unknown as PeerNetwork & ShareNetwork;
    this.#give = async () => {
      const key = `${tieKeys.given}${desk}/0`;
      const ties = guests.map(({ share, ino }) => {
        return folderTie({ key, share, ino, givenAt: [], keeper: desk });
      });
      await tied.put(ties);
    };
    this.#open = () => new GuestDevices({
      ...parts, random: maker.random, person: maker.owner, network, tied,
      members: () => ["12D3KooWA".padEnd(52, "a") as PeerId], guests: () => this.#guests,
      numbers: async () => numbers, changed: async (_share: ShareId) => void this.told++,
    });
    this.#devices = this.#open();
  }

  restart(): void {
    this.#devices = this.#open();
  }

  devices(guest: GivenGuest = this.#guests[0] as GivenGuest): readonly PeerId[] {
    return devicesIn(this.#devices.of(guest));
  }

  /** Asks the holder once; answers who is admitted then. */
  async look(): Promise<readonly PeerId[]> {
    await this.#give();
    this.#clock.shiftMs += 120_000;
    await this.#devices.step(never);
    return this.devices();
  }
}
