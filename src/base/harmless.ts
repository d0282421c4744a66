/**
 * Text of others, for people to read: a file's name, a peer's words. What would steer a terminal,
 * end a line of a log, turn the rest of a line around or stand there unseen is shown, not done. It
 * is written as JSON has it, and so JSON means the same as before.
 */

/**
 * Controls, signs of direction, what ends a line or is not seen. Not what joins letters (U+200C,
 * U+200D): Persian and many pictures are written with it, and it steers nothing.
 */
const steering = /[[\p{Cc}\p{Zl}\p{Zp}\ufff9-\ufffb[\p{Cf}&&\p{DI}]]--[\n\t\u200c\u200d]]/gv;

/** All but ends of lines and tabs. */
export function harmless(text: string): string {
  return text.replace(steering, escaped);
}

/** The same on a single line. */
export function oneLine(text: string): string {
  return harmless(text.replace(/[\n\t]/g, escaped));
}

function escaped(sign: string): string {
  const units = Array.from({ length: sign.length }, (_, at) => sign.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}
