/** Quantities as people write them in serai.toml: `"64 MiB"`, `"5m"`; in code bytes and milliseconds. */

const BYTE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  kB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
};

const TIME_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

function inUnits(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)$/.exec(text.trim());
  const unit = units[match?.[2] ?? ''];
  if (match === null || unit === undefined) return undefined;
  return Math.round(Number(match[1]) * unit);
}

/** Bytes of `256 KiB`, `1 GB` and the like; undefined for anything else. */
export function parseByteCount(text: string): number | undefined {
  return inUnits(text, BYTE_UNITS);
}

/** Milliseconds of `5m`, `90s`, `3d` and the like; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  return inUnits(text, TIME_UNITS);
}
