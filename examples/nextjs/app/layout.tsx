import type {Metadata, Viewport} from 'next';
import Link from 'next/link';
import type {ReactNode} from 'react';

import './globals.css';

export const metadata: Metadata = {
  title: {default: 'Darkroom', template: '%s · Darkroom'},
  description: 'Describe a picture, and watch it develop.',
};

export const viewport: Viewport = {
  colorScheme: 'light dark',
  themeColor: [
    {media: '(prefers-color-scheme: light)', color: '#f6f4ef'},
    {media: '(prefers-color-scheme: dark)', color: '#141312'},
  ],
};

export default function Layout({children}: {children: ReactNode}) {
  return (
    <html lang="en">
      <body>
        <a className="skip" href="#main">Skip to the pictures</a>
        <header className="bar">
          <Link className="brand" href="/">
            <svg aria-hidden="true" viewBox="0 0 24 24" width="22" height="22">
              <circle cx="12" cy="12" r="11" fill="currentColor" />
              <circle cx="15.5" cy="8.5" r="4.5" fill="var(--paper)" />
            </svg>
            Darkroom
          </Link>
        </header>
        <main id="main">{children}</main>
      </body>
    </html>
  );
}
