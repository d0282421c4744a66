/**
 * What a user has to be told without asking: that this device was shut out, data that is lost for
 * now, data in danger, books that were damaged, and a class that cannot be held because nobody is
 * left to hold it. Pure; the outlook step tells the log, and whoever asks for the status is told as
 * well.
 */
import { removedText } from "../../base/devices.ts";
import type { Alert } from "../../base/safety.ts";
import type { PartStatus } from "../../transfer/status/parts.ts";

export interface Troubles {
  readonly parts: readonly PartStatus[];
  /** What is not placed, by policy, because too few peers are there: why, in words. */
  readonly unplaced: readonly { readonly policy: string | null; readonly why: string }[];
  /** Seats of lost members that nobody can take. */
  readonly stranded: number;
  /** Groups that lie against their policy, and that nobody can mend. */
  readonly stuck: number;
  /** When this device was shut out of its drive. */
  readonly removedAtMs?: number | null;
  /** The books of what peers have were damaged, and may lack something. */
  readonly isDoubted?: boolean;
  /** Why what they lack is not known again. */
  readonly doubtWaitsFor?: string | undefined;
}

/** The worst first. */
export function alertsOf(troubles: Troubles): readonly Alert[] {
  const { parts, unplaced, stranded, stuck, removedAtMs = null, isDoubted = false } = troubles;
  const removed = removedAtMs === null ? [] : [{
    kind: "removed" as const, policy: null,
    text: `${removedText(removedAtMs)}: its mount is read-only, and what peers lack is here alone; \
copy that elsewhere`,
  }];
  const lost = parts.filter((part) => part.lost > 0).map((part): Alert => ({
    kind: "lost", policy: part.policy,
    text: `${segmentsText(part.lost)} cannot be read before holders come back`,
  }));
  const endangered = parts.filter((part) => part.endangered > part.lost).map((part): Alert => ({
    kind: "endangered", policy: part.policy,
    text: `${segmentsText(part.endangered - part.lost)} with fewer shards than repair should leave`,
  }));
  return [
    ...removed, ...lost, ...endangered,
    ...(isDoubted ? [{
      kind: "doubted" as const, policy: null,
      text: `the books of what peers have were damaged: nothing is given back before all that they \
lost is known again${waitingText(troubles.doubtWaitsFor)}`,
    }] : []),
    ...unplaced.map(({ policy, why }): Alert => ({
      kind: "unplaced", policy, text: `kept on this machine only: it waits for ${why}`,
    })),
    ...(stranded === 0 ? [] : [{
      kind: "unheld" as const, policy: null,
      text: `${stranded === 1 ? "1 seat" : `${stranded} seats`} of lost holders that nobody can \
take: more peers are needed to hold the class`,
    }]),
    ...(stuck === 0 ? [] : [{
      kind: "unlawful" as const, policy: null,
      text: `${stuck === 1 ? "1 group lies" : `${stuck} groups lie`} against its policy, and too \
few peers satisfy it`,
    }]),
  ];
}

function waitingText(why: string | undefined): string {
  if (why === undefined) return "";
  return `, and that waits: ${why}; hive fsck --repair --give-up does without what nobody gives`;
}

function segmentsText(count: number): string {
  return count === 1 ? "1 segment" : `${count} segments`;
}
