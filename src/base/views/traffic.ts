/** What a person or a script is told of the line: plain data, ready for JSON. */

/** What goes over the line now, and what is held back. */
export interface TrafficStatus {
  /** Null while uploads may go on. */
  readonly paused: {
    /** ISO 8601; null where nobody noted it. */
    readonly since: string | null;
    /** ISO 8601; null when no time ends it. */
    readonly until: string | null;
    /** What ends it, in words. */
    readonly waitsFor: string;
  } | null;
  readonly upload: LineStatus;
  readonly download: LineStatus;
  /** Whether peers on this machine and its local network count. */
  readonly limitLan: boolean;
  /** Whether the link is metered, as far as the system tells: yes, no or unknown. */
  readonly metered: string;
  /** Of our own protocol, small and large, near and far, since the daemon's start. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

export interface LineStatus {
  /** Bytes; null without a limit. */
  readonly perSecond: number | null;
  /** False: nothing goes that no program waits for. */
  readonly isOpen: boolean;
}
