/**
 * A text for each version such that two versions have the same text exactly when opam's order calls them equal
 * (src/opam/version.ts). So the versions that clients cannot tell apart are found without comparing all pairs,
 * of which a hostile repository could have billions.
 */
export function orderKey(version: string): string {
  // What has no dash compares like what ends in one.
  const dash = version.lastIndexOf('-');
  return dash === -1
    ? `${partKey(version)}-`
    : `${partKey(version.slice(0, dash))}-${partKey(version.slice(dash + 1))}`;
}

/** Runs of non-digits and digits in turn; digits without leading zeros, so that none and `0` are alike. */
function partKey(part: string): string {
  let key = '';
  for (const [, letters = '', digits = ''] of part.matchAll(/([^0-9]*)([0-9]*)/g)) {
    // Behind the end nothing is compared any more.
    if (letters !== '' || digits !== '') key += `${letters}#${digits.replace(/^0+/, '')};`;
  }
  // `a` and `a0` end alike, and so do the empty part and `0`.
  return key === '#;' ? '' : key;
}
