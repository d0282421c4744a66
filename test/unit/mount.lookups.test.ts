/** Whom the kernel is asked to forget, and when. */
import { test } from "tap";
import { parseIno } from "../../src/base/ids.ts";
import { Lookups } from "../../src/mount/operations/lookups.ts";

const inos = Array.from({ length: 20 }, (_, index) => parseIno(index + 2));

function told(count: number): Lookups {
  const lookups = new Lookups({ knownMax: 10, askedMax: 4 });
  for (const ino of inos.slice(0, count)) lookups.told(ino);
  return lookups;
}

test("nobody is asked for as long as there are few", (t) => {
  t.strictSame(told(10).surplus(), []);
  t.end();
});

test("the oldest are asked for first, and whoever stays comes last", (t) => {
  const lookups = told(12);
  t.strictSame(lookups.surplus(), inos.slice(0, 4));
  t.strictSame(lookups.surplus(), [], "not again before somebody new has come");
  lookups.forgot(inos[4] as (typeof inos)[number], 1);
  for (const ino of inos.slice(12, 15)) lookups.told(ino);
  t.strictSame(lookups.surplus(), inos.slice(5, 9));
  t.end();
});

test("an inode is known until all its look-ups are given back", (t) => {
  const lookups = told(3);
  const [first] = inos as [(typeof inos)[number]];
  lookups.told(first);
  lookups.forgot(first, 1);
  t.equal(lookups.size, 3);
  lookups.forgot(first, 1);
  t.equal(lookups.size, 2);
  lookups.forgot(first, 1);
  t.equal(lookups.size, 2);
  t.end();
});

test("listings bring their files along until a quarter of what may be known is", (t) => {
  t.equal(told(2).hasRoom, true);
  t.equal(told(3).hasRoom, false);
  t.end();
});

test("beyond it files come along where programs ask for them, and names alone where not", (t) => {
  const lookups = told(3);
  t.equal(lookups.wantsFiles(), false, "nobody knows yet");
  lookups.listedAlone(100);
  for (let file = 0; file < 100; file++) lookups.asked();
  const answers = Array.from({ length: 16 }, () => lookups.wantsFiles());
  t.equal(answers.filter((wants) => wants).length, 14, "now and then it is tried without");
  for (let folder = 0; folder < 4; folder++) lookups.listedAlone(100);
  t.equal(lookups.wantsFiles(), false, "nobody asks any more");
  for (let folder = 0; folder < 1000; folder++) lookups.listedAlone(100);
  lookups.listedAlone(1000);
  for (let file = 0; file < 3000; file++) lookups.asked();
  t.ok(lookups.wantsFiles(), "what was long ago does not count for long");
  t.end();
});
