/**
 * How much bulk may go over this machine's line, and when: the words in which the user's settings
 * reach a node. Plain data, which crosses threads. `traffic/` makes sense of it.
 */

/** Who is waiting for bytes, most urgent first: a program, its next read, or nobody. */
export const urgencies = ["owner", "ahead", "background"] as const;
export type Urgency = (typeof urgencies)[number];

/** Some minutes of some days, in the user's local time, and what is allowed in them. */
export interface Hours {
  /** 0 is Sunday. What goes on after midnight belongs to the day on which it began. */
  readonly days: readonly number[];
  readonly fromMinute: number;
  /** Not itself part of it; at or before `fromMinute` it is one of the next day. */
  readonly toMinute: number;
  /** Bytes; null for all that the line bears, 0 for nothing that nobody waits for. */
  readonly perSecond: number | null;
}

/** The last one that fits holds; where none does there is no limit. */
export type Timetable = readonly Hours[];

/** The user asked for it. */
export interface Pause {
  readonly sinceMs: number;
  /** Null until the user says so. */
  readonly untilMs: number | null;
}

export interface TrafficOrders {
  readonly upload: Timetable;
  readonly download: Timetable;
  /** Peers on this machine and on its local network count too. */
  readonly limitLan: boolean;
  /** What a metered link means: a pause, nothing, or at most so many bytes a second each way. */
  readonly metered: "pause" | "ignore" | number;
  readonly pause: Pause | null;
}

/** Of a user who said nothing. */
export const noOrders: TrafficOrders = {
  upload: [], download: [], limitLan: false, metered: "pause", pause: null,
};

/** Whether the link to the internet is paid for by the byte, as far as the system tells. */
export type Metered = "yes" | "no" | "unknown";
