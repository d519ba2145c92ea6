/** Two contents with one MD5: X. Wang, H. Yu, "How to Break MD5 and Other Hash Functions", EUROCRYPT 2005. */
export const [MD5_TWIN, OTHER_MD5_TWIN] = [
  twin('87', '71', 'f2', 'b4', 'a8', '2b'),
  twin('07', 'f1', '72', '34', '28', 'ab'),
] as const;

/** The six bytes in which they differ. */
function twin(a: string, b: string, c: string, d: string, e: string, f: string): Buffer {
  const hex = [
    `d131dd02c5e6eec4693d9a0698aff95c2fcab5${a}12467eab4004583eb8fb7f89`,
    `55ad340609f4b30283e4888325${b}415a085125e8f7cdc99fd91dbd${c}80373c5b`,
    `d8823e3156348f5bae6dacd436c919c6dd53e2${d}87da03fd02396306d248cda0`,
    `e99f33420f577ee8ce54b67080${e}0d1ec69821bcb6a8839396f965${f}6ff72a70`,
  ];
  return Buffer.from(hex.join(''), 'hex');
}
