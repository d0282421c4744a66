/**
 * What a person or a script is told of policies, and of what
 * goes by them: plain data, ready for JSON.
 */

/** How the drive stands to the user's policies. */
export interface PolicyStatus {
  /** What is wrong with a file, and where: what was in force before it stays so. */
  readonly problem: string | null;
  /** Policies that data is being moved to: how many of its segments are left. */
  readonly moving: readonly {
    readonly policy: string; readonly left: number; readonly total: number;
  }[];
  /** Groups that lie against their policy, and cannot be moved: too few peers satisfy it. */
  readonly stuck: number;
  /** What `processing` lets this machine not do. */
  readonly notHere: readonly { readonly policy: string; readonly activities: readonly string[] }[];
}

/** The texts of the user's policies: of the whole drive's, undefined for the built-in one. */
export interface PolicyTexts {
  readonly drive: string | undefined;
  readonly named: Readonly<Record<string, string>>;
  /** What is wrong with one that could not be read. */
  readonly problem: string | null;
}

/** What of one policy's data is not with peers yet, and why. */
export interface PolicyQueue {
  /** Null for the drive's default, "?" for blocks of which nobody knows it. */
  readonly policy: string | null;
  readonly blocks: number;
  readonly bytes: number;
  readonly waitingFor: string | null;
}

/** The policy that a path goes by. */
export interface PathPolicy {
  /** Null for the drive's default. */
  readonly policy: string | null;
  /** The folder that says so, seen from the drive's root; null for a file of several names. */
  readonly folder: string | null;
  /** Its text; null for the one that is built in, or that is known nowhere. */
  readonly text: string | null;
}

/** What a policy's text makes of the peers that are known now, or of one of them. */
export interface PolicyQuestion {
  readonly text: string;
  readonly peer: string | null;
}

export interface PolicyReport {
  readonly name: string;
  readonly hash: string;
  /** How many peers each clause in turn left over. */
  readonly clauses: readonly { readonly clause: string; readonly left: number }[];
  /** The classes that it allows, and whether there are peers enough for them. */
  readonly classes: readonly {
    readonly class: string;
    readonly needed: number;
    readonly isEnough: boolean;
    readonly bounds: readonly {
      readonly clause: string; readonly left: number; readonly needed: number;
    }[];
  }[];
  /** What a new group would be of; null when there are too few peers. */
  readonly class: string | null;
  /**
   * Why it can never be, by the peers that are known, online or not; null when it may be. Then what
   * goes by it is taken no more, if that is its answer.
   */
  readonly hopeless: string | null;
  readonly unsatisfiable: "refuse" | "queue";
  readonly peer: {
    readonly peer: string;
    /** The country, and how well that is known, as the judge sees it; null when it is not. */
    readonly place: { readonly country: string; readonly evidence: string } | null;
    readonly state: string;
    readonly why: string;
    readonly clauses: readonly {
      readonly clause: string; readonly answer: "yes" | "no" | "unknown";
    }[];
  } | null;
}
