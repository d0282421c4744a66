/** What a timetable says at a moment, in the machine's own time zone. Pure. */
import type { Hours, Timetable } from "../base/traffic.ts";

/** Bytes a second; null without a limit. */
export function perSecondAt(timetable: Timetable, atMs: number): number | null {
  const date = new Date(atMs);
  const [day, minute] = [date.getDay(), date.getHours() * 60 + date.getMinutes()];
  return timetable.findLast((hours) => covers(hours, day, minute))?.perSecond ?? null;
}

/** Whether it says something else at another time. */
export function isChanging(timetable: Timetable): boolean {
  return timetable.some(({ days, fromMinute, toMinute }) => {
    return days.length < 7 || fromMinute !== 0 || toMinute !== 24 * 60;
  });
}

/** Until the next moment at which a timetable may say something else. */
export function untilNextMinuteMs(atMs: number): number {
  return 60_000 - atMs % 60_000;
}

function covers({ days, fromMinute, toMinute }: Hours, day: number, minute: number): boolean {
  if (fromMinute < toMinute) return days.includes(day) && minute >= fromMinute && minute < toMinute;
  const dayBefore = (day + 6) % 7;
  return (days.includes(day) && minute >= fromMinute) ||
    (days.includes(dayBefore) && minute < toMinute);
}
