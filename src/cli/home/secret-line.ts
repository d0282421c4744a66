/**
 * Secrets that come as a line of a descriptor. What stands in argv everybody on the machine can
 * see, so a command that takes a secret as an operand takes it from standard input too.
 */
import { readSync } from "node:fs";
import { isatty } from "node:tty";
import { HiveError, codeOf } from "../../base/errors.ts";
import { say } from "../output.ts";

/** A line typed or pasted by a person: more is a mistake, and no secret of ours. */
export const lineBytesMax = 4096;

/**
 * For "-" a line of standard input; for want of an operand that, too, unless somebody sits there
 * who has forgotten it. Of several lines the others stay: a passphrase may be the next.
 */
export function secretOperand(
  operand: string | undefined,
  { command, what }: { readonly command: string; readonly what: string },
): string {
  if (operand !== undefined && operand !== "-") {
    // Over argv itself: whoever looks from now on, as long as this takes, does not find it.
    process.title = "hive";
    return operand;
  }
  // Not by process.stdin: once that was looked at, a pipe no longer waits for its line.
  const isTyped = isatty(0);
  if (operand === undefined && isTyped) throw new HiveError("Usage", command, `which ${what}?`);
  if (isTyped) say(`type the ${what}, then Enter:`);
  const text = readLine(0, { command, from: "standard input" }).toString("utf8").trim();
  if (text === "") throw new HiveError("Usage", command, `which ${what}? the line is empty`);
  return text;
}

/** One line from a descriptor, without its newline. */
export function readLine(
  descriptor: number, told: { readonly command: string; readonly from: string },
): Buffer {
  const line: number[] = [];
  for (let byte = readByte(descriptor, told); byte !== undefined && byte !== 10;) {
    line.push(byte);
    byte = line.length < lineBytesMax ? readByte(descriptor, told) : undefined;
  }
  return Buffer.from(line);
}

function readByte(
  descriptor: number, { command, from }: { readonly command: string; readonly from: string },
): number | undefined {
  const byte = Buffer.alloc(1);
  try {
    return readSync(descriptor, byte) === 1 ? byte[0] : undefined;
  } catch (cause) {
    const what = `${from}: nothing to read there (${codeOf(cause)})`;
    throw new HiveError("Usage", command, what, { cause });
  }
}
