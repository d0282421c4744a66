/** What the table of commands says of each; commands.ts is the table, its parts stand beside it. */

export interface OptionSpec {
  /** Long name without the dashes. */
  readonly name: string;
  readonly short?: string;
  /** What the value is, in capitals; absent for a switch. */
  readonly value?: string;
  readonly summary: string;
  /** Without it there is nothing to do. */
  readonly isNeeded?: boolean;
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
export const json: OptionSpec = { name: "json", summary: "print JSON for programs" };

export const qr: OptionSpec = {
  name: "qr", summary: "show the QR code even where there is no terminal",
};

export const passphrase: OptionSpec = {
  name: "passphrase-fd", value: "FD",
  summary: "read the passphrase's line from this file descriptor instead of asking",
};

/** Of every command that takes a secret as an operand. */
export function readsSecret(what: string): string {
  return "Everybody on this machine can see the words of a command: with - in its place " +
    `the ${what} is read from standard input as one line, and without it, too, where that is ` +
    "no terminal.";
}

export const privateNetwork: OptionSpec = {
  name: "private-network",
  summary: "make the key of a private network: peers without it are not heard",
};

export const foreground: OptionSpec = {
  name: "foreground", short: "f",
  summary: "stay in the foreground and log to standard error",
};

/** Of every command that makes the key file. */
export const sealKeys: OptionSpec = {
  name: "passphrase", summary: "seal the key file under a passphrase (Argon2id)",
};

/** As it stands in the help and in messages. */
export function optionUsage(option: OptionSpec): string {
  const short = option.short === undefined ? "" : `-${option.short}, `;
  return `${short}--${option.name}${option.value === undefined ? "" : ` ${option.value}`}`;
}
