/** The sign over the door: the name, the shelves, the cart. */
import { type ReactNode, useState } from 'react'
import { useCart } from '../queries'
import { Link } from '../router'
import { LiveDot } from './live-dot'

export const CATEGORIES = [
  ['table', 'Table'],
  ['vases', 'Vases'],
  ['light', 'Light'],
  ['textiles', 'Textiles'],
  ['objects', 'Objects'],
  ['seats', 'Seats'],
] as const

export function Header({ path }: { path: string }) {
  const { data: cart } = useCart()
  const count = cart?.count ?? 0
  return (
    <header className="header">
      <Link to="/" className="logo" aria-label="Vitrine, to the shop window">
        <svg viewBox="0 0 28 28" aria-hidden="true">
          <path d="M3 24h22M7 24V14a7 7 0 0 1 14 0v10" fill="none" stroke="currentColor" strokeWidth="3" />
        </svg>
        vitrine
      </Link>
      <nav aria-label="Shelves">
        <Tab to="/" path={path}>
          All
        </Tab>
        {CATEGORIES.map(([name, label]) => (
          <Tab key={name} to={`/c/${name}`} path={path}>
            {label}
          </Tab>
        ))}
      </nav>
      <div className="tools">
        <LiveDot />
        <ThemeButton />
        <Link
          to="/cart"
          className="cart-link"
          aria-label={`Cart, ${count} ${count === 1 ? 'thing' : 'things'}`}
        >
          Cart <span className={count > 0 ? 'count' : 'count empty'}>{count}</span>
        </Link>
      </div>
    </header>
  )
}

function Tab({ to, path, children }: { to: string; path: string; children: ReactNode }) {
  return (
    <Link to={to} {...(to === path && { 'aria-current': 'page' })}>
      {children}
    </Link>
  )
}

const THEMES = { '': 'as your system', light: 'light', dark: 'dark' } as const
type Theme = keyof typeof THEMES

function ThemeButton() {
  const [theme, setTheme] = useState<Theme>(() => apply((localStorage.getItem('theme') ?? '') as Theme))
  const isDark = theme === 'dark' || (theme === '' && matchMedia('(prefers-color-scheme: dark)').matches)
  const next: Theme = isDark ? 'light' : 'dark'
  return (
    <button
      type="button"
      className="icon"
      aria-label={`Switch to ${THEMES[next]} colours`}
      onClick={() => setTheme(apply(next))}
    >
      <svg viewBox="0 0 20 20" aria-hidden="true">
        <circle cx="10" cy="10" r="7" fill="none" stroke="currentColor" strokeWidth="1.8" />
        <path d="M10 3a7 7 0 0 1 0 14z" fill="currentColor" />
      </svg>
    </button>
  )
}

function apply(theme: Theme): Theme {
  document.documentElement.dataset.theme = theme
  localStorage.setItem('theme', theme)
  return theme
}
