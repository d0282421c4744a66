/**
 * What this machine's person writes in folders of others, cared for as the drive's own is: each
 * right to write is a drive of its own to whoever keeps its shards, so each has an agent that
 * uploads, audits, mends and gives back. It begins when there is a tree, and ends with the node or
 * when the folder is left; what is written there it cannot read.
 */
import { type Agent, openAgent } from "../agent/agent.ts";
import type { KeyValue } from "../base/blocks.ts";
import { guestKeys } from "../base/book-keys.ts";
import { booksUnder } from "../base/books-under.ts";
import type { Clock } from "../base/clock.ts";
import type { OwnerId, PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { ReclaimReport, VerifyReport } from "../base/views/drive.ts";
import { emptySource } from "../bridge/source.ts";
import type { WriteRight } from "../crypt/drive/write-right.ts";
import type { Coder } from "../erasure/erasure.ts";
import type { Notices } from "../guard/notices.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { type Transfer, type TransferOptions, openTransfer } from "../transfer/transfer.ts";
import type { Company } from "./company.ts";
import type { NodeConfig, NodeNeeds } from "./config.ts";
import { unlessDoubted } from "./sums.ts";

export interface GuestsNeeds {
  readonly company: Pick<Company, "network" | "traffic">;
  readonly coder: Coder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly ledger: Pick<Ledger, "tally">;
  readonly notices: Notices;
  /** The stores and trees, where there is somebody who has them. */
  readonly guest: NodeNeeds["guest"];
  /** A new head of one was taken by its holders. */
  readonly onPublished: () => void;
}

export interface GuestsOptions extends Pick<NodeConfig, "deadAfterMs" | "auditIntervalMs"> {
  /** By which this user's data goes where no folder says otherwise. */
  readonly usual: TransferOptions;
}

interface Cared {
  readonly transfer: Transfer;
  readonly agent: Agent;
}

export class Guests implements AsyncDisposable {
  readonly #needs: GuestsNeeds;
  readonly #options: GuestsOptions;
  readonly #cared = new Map<OwnerId, Promise<Cared>>();

  constructor(needs: GuestsNeeds, options: GuestsOptions) {
    this.#needs = needs;
    this.#options = options;
  }

  /** `books` are this right's own. */
  async open({ keys }: WriteRight, books: KeyValue): Promise<Transfer> {
    const known = this.#cared.get(keys.owner);
    const cared = known ?? this.#begin({ keys }, books);
    this.#cared.set(keys.owner, cared);
    try {
      return (await cared).transfer;
    } catch (error) {
      this.#cared.delete(keys.owner);
      throw error;
    }
  }

  async end(writer: OwnerId): Promise<void> {
    const cared = this.#cared.get(writer);
    this.#cared.delete(writer);
    await (await cared)?.agent.stop();
  }

  /** There may be something to upload, or to do. */
  wake(): void {
    for (const cared of this.#cared.values()) void cared.then(({ agent }) => agent.wake(), ignored);
  }

  /** Whether what is written in any of these folders lies with this peer. */
  async isMember(peer: PeerId): Promise<boolean> {
    const found = await this.#each(async ({ transfer: { health } }) => health.isMember(peer));
    return found.includes(true);
  }

  verify(options: { readonly deep: boolean }): Promise<readonly VerifyReport[]> {
    return this.#each(({ agent }) => agent.verify(options));
  }

  reclaim(timeoutMs: number): Promise<readonly ReclaimReport[]> {
    return this.#each(({ transfer }) => unlessDoubted(transfer.reclaim(timeoutMs)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#cared.keys()].map((writer) => this.end(writer)));
  }

  async #each<T>(act: (cared: Cared) => Promise<T>): Promise<readonly T[]> {
    return Promise.all([...this.#cared.values()].map(async (cared) => act(await cared)));
  }

  async #begin({ keys }: Pick<WriteRight, "keys">, books: KeyValue): Promise<Cared> {
    const { company: { network, traffic }, guest, ledger, notices, onPublished } = this.#needs;
    const { usual, deadAfterMs, auditIntervalMs } = this.#options;
    const { source = emptySource, census } = guest?.(keys.owner) ?? {};
    const transfer = await openTransfer({
      ...this.#needs, network, keys, source, onPublished,
      books: booksUnder(books, guestKeys.transfer),
      // It names what the owner has too, of which these books know nothing.
      census: census && { census: (blocks) => census.census(blocks + censusBlocks) },
      brake: traffic.uploads, mayReadAhead: (bytes) => traffic.mayReadAhead(bytes),
      holdsReads: () => traffic.holdsReads,
    }, usual);
    const agent = await openAgent({
      ...this.#needs, network, transfer, books: booksUnder(books, guestKeys.agent),
      tally: ledger.tally, notices, brake: traffic.healing, line: traffic,
    }, { deadAfterMs, auditIntervalMs });
    agent.start();
    return { transfer, agent };
  }
}

const { guestCensusBlocks: censusBlocks } = limits.sharing;
const ignored = (): void => undefined;
