/** Who owes whom, as a person is told: one row a peer. Pure. */
import { KiB } from "../base/bytes.ts";
import type { PeerId } from "../base/ids.ts";
import type { LedgerRow } from "../base/views/peers.ts";
import { type Credit, keptKiB } from "./credit.ts";
import type { Dunning } from "./message.ts";
import type { Account, Sanction } from "./sanction.ts";

/** What is known of one peer. */
export interface Dealings {
  readonly peer: PeerId;
  /** What it does for us, and what we do for it. */
  readonly forUs: Credit | undefined;
  readonly forIt: Credit | undefined;
  /** KiB hours that it has proven and that stand in no entry yet. */
  readonly openKiBHours: number;
  readonly isFriend: boolean;
  readonly isFraud: boolean;
  readonly standingBytes: number;
  /** Of its drives that keep something here. */
  readonly accounts: readonly { readonly account: Account; readonly sanction: Sanction }[];
  readonly told: Dunning | undefined;
}

export function rowOf(dealings: Dealings, nowMs: number): LedgerRow {
  const { peer, forUs, forIt, isFriend, isFraud, accounts } = dealings;
  const [keptForUs, keptForIt] = [bytesOf(forUs, nowMs), bytesOf(forIt, nowMs)];
  return {
    peer, isFriend,
    keptForUsBytes: keptForUs,
    keptForThemBytes: keptForIt,
    provenForUsKiBHours: (forUs?.entry.kept ?? 0) + Math.floor(dealings.openKiBHours),
    provenForThemKiBHours: forIt?.entry.kept ?? 0,
    sentToUsBytes: forUs?.entry.sent ?? 0,
    sentToThemBytes: forIt?.entry.sent ?? 0,
    balanceBytes: keptForIt - keptForUs,
    standingBytes: isFraud ? 0 : Math.floor(dealings.standingBytes),
    theyOweBytes: accounts.reduce((sum, { account }) => sum + lackOf(account), 0),
    weOweBytes: dealings.told === undefined ? 0 : lackOf(dealings.told),
    follows: followsOf(dealings),
  };
}

function bytesOf(credit: Credit | undefined, nowMs: number): number {
  return credit === undefined ? 0 : Math.floor(keptKiB(credit, nowMs) * KiB);
}

function lackOf({ dueBytes, coveredBytes }: Dunning): number {
  return Math.max(0, Math.floor(dueBytes - coveredBytes));
}

function followsOf({ isFriend, isFraud, accounts, told }: Dealings): string {
  if (isFraud) return "it wrote two entries for one place: it counts for nothing";
  const owing = accounts.find(({ sanction }) => sanction.step !== "even");
  if (owing !== undefined) return owing.sanction.why;
  if (told !== undefined) return "it takes nothing new of ours, and after a week lets go";
  return isFriend ? "nothing: a friend" : "nothing";
}
