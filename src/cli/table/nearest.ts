/** The word that somebody may have meant who mistyped it. */

/** Letters that are wrong, missing or too many before nobody can have meant it. */
const mistakesMax = 2;

export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known.map((one) => ({ one, mistakes: mistakesBetween(word, one) }));
  const best = ranked.sort((a, b) => a.mistakes - b.mistakes)[0];
  const isNear = best !== undefined && best.mistakes <= Math.min(mistakesMax, word.length - 2);
  return isNear ? best.one : undefined;
}

/** Letters put in, left out or changed on the way from one to the other (Levenshtein). */
function mistakesBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (const [at, letter] of [...one].entries()) {
    const next = [at + 1];
    for (const [column, wanted] of [...other].entries()) {
      const changed = (row[column] as number) + (letter === wanted ? 0 : 1);
      next.push(Math.min(changed, (row[column + 1] as number) + 1, (next[column] as number) + 1));
    }
    row = next;
  }
  return row[other.length] as number;
}
