import { describe, expect, test } from 'vitest';
import { parseHttpUrl, RedirectTrail } from '../../src/upstream/http-redirect.ts';

describe('where a redirect may lead (HOSTILE 10)', () => {
  test.each([
    ['https://a.example/x/y', 'z?q#f', 'https://a.example/x/z?q'],
    ['https://a.example/x', '//b.example/z', 'https://b.example/z'],
    ['http://a.example/x', 'https://a.example/x', 'https://a.example/x'],
    ['http://a.example/x', 'http://b.example:81/', 'http://b.example:81/'],
    ['https://u:p@a.example/x', 'https://v:q@a.example/z', 'https://a.example/z'],
  ])('%s to %s', (from, location, to) => {
    expect(new RedirectTrail(new URL(from), 5).follow(location).href).toBe(to);
  });

  test.each([
    ['https://a.example/x', 'http://a.example/x', /from https to http/],
    ['https://a.example/x', 'ftp://a.example/', /scheme ftp:/],
    ['https://a.example/x', 'file:///etc/passwd', /scheme file:/],
    ['https://a.example/x', 'javascript:1', /scheme javascript:/],
    ['https://a.example/x', 'git+https://a.example/', /scheme git\+https:/],
    ['https://a.example/x', 'https://', /not a URL/],
    ['https://u:p@a.example/x', '/x#again', /loop/],
  ])('%s never to %s', (from, location, reason) => {
    const follow = expect(() => new RedirectTrail(new URL(from), 5).follow(location));
    follow.toThrow(
      expect.objectContaining({ code: 'redirect-refused', message: expect.stringMatching(reason) }),
    );
  });

  test('https is not left on a later hop, and a loop over several hops is seen', () => {
    const trail = new RedirectTrail(new URL('http://a.example/1'), 5);
    trail.follow('https://a.example/2');
    expect(() => trail.follow('http://a.example/3')).toThrow(/from https to http/);
    trail.follow('/3');
    expect(() => trail.follow('/2')).toThrow(/loop/);
  });

  test('no redirects where the limit is none', () => {
    expect(() => new RedirectTrail(new URL('http://a.example/1'), 0).follow('/2')).toThrow(
      /limits.redirects = 0/,
    );
  });
});

test('only http and https are fetched', () => {
  expect(parseHttpUrl('HTTPS://A.example').href).toBe('https://a.example/');
  for (const text of ['ftp://a.example', 'file:///x', 'a.example', '']) {
    expect(() => parseHttpUrl(text)).toThrow(expect.objectContaining({ code: 'upstream-protocol' }));
  }
});
