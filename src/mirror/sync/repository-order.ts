/** Which repositories are made of which: an overlay follows its sources, so they come before it. */
import type { Config } from '../../config.ts';

type Repositories = Pick<Config, 'repository'>;

/** All configured repositories, or those of `names`, sources before the overlays made of them. */
export function sourcesFirst(
  config: Repositories,
  names: readonly string[] = Object.keys(config.repository),
): readonly string[] {
  // Overlays are made of repositories that have an upstream, never of overlays: see config.ts.
  const isOverlay = (name: string): boolean => config.repository[name]?.sources !== undefined;
  return [...names.filter((name) => !isOverlay(name)), ...names.filter(isOverlay)];
}

/** The overlays that have this repository among their sources. */
export function overlaysOf(config: Repositories, source: string): readonly string[] {
  return Object.entries(config.repository)
    .filter(([, { sources }]) => sources?.includes(source) === true)
    .map(([name]) => name);
}
