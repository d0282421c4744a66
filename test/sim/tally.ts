/** What is counted in a world, from whenever counting began. */
export interface Tally {
  events: number;
  deaths: number;
  /** Groups times days. */
  groupDays: number;
  /** Shards read and written by repair, when what is missing of a segment is made together ... */
  moved: number;
  /** ... and when k shards are read for each one that is made. */
  movedEach: number;
  /** Repairs that made something, and all the time from the need to the end of each. */
  repairs: number;
  waitMs: number;
  /** Seats given away, and those of them whose peer was alive. */
  replaced: number;
  replacedInVain: number;
  /** Silences taken for deaths, and those of them that ended. */
  condemned: number;
  condemnedInVain: number;
  /** Segments of which fewer than k shards were left. */
  losses: number;
}

export function noTally(): Tally {
  return {
    events: 0, deaths: 0, groupDays: 0, moved: 0, movedEach: 0, repairs: 0, waitMs: 0,
    replaced: 0, replacedInVain: 0, condemned: 0, condemnedInVain: 0, losses: 0,
  };
}
