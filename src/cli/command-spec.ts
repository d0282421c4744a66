/** What the table of commands says of each; commands.ts is the table, its parts stand beside it. */

export interface OptionSpec {
  /** Long name without the dashes. */
  readonly name: string;
  readonly short?: string;
  /** What the value is, in capitals; absent for a switch. */
  readonly value?: string;
  readonly summary: string;
  /** Used between our own processes only: not in the help. */
  readonly hidden?: boolean;
}

export interface CommandSpec {
  readonly name: string;
  /** Operands as they stand in the synopsis. */
  readonly operands: string;
  readonly operandsMax: number;
  readonly summary: string;
  readonly details: string;
  readonly options: readonly OptionSpec[];
}

/** Of every command that answers something. */
export const json: OptionSpec = { name: "json", summary: "print one JSON object for programs" };
