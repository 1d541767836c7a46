import { describe, expect, it, vi } from 'vitest'
import { claimRole } from './role-claims.js'
import { createRoles } from './roles.js'

const roles = createRoles(() => {})
const cart = () => [...roles.get('cart')]

describe('a claim', () => {
  it('gives products a role, until it no longer holds them', () => {
    const claim = claimRole(roles, 'cart')
    claim.set(['p1', 2])
    expect(cart()).toEqual(['p1', '2'])
    claim.set(['p1'])
    expect(cart()).toEqual(['p1'])
    claim.set([])
    claim.set([])
    expect(cart()).toEqual([])
  })

  it('does not take from others what it shares with them', () => {
    const [one, other] = [claimRole(roles, 'cart'), claimRole(roles, 'cart')]
    one.set(['p1'])
    other.set(['p1', 'p2'])
    one.set([])
    expect(cart()).toEqual(['p1', 'p2'])
    other.set([])
    expect(cart()).toEqual([])
  })

  it('leaves alone what the shop set itself', () => {
    const claim = claimRole(roles, 'cart')
    roles.set('cart', ['own'])
    claim.set(['p1'])
    claim.set([])
    expect(cart()).toEqual(['own'])
    roles.set('cart', [])
  })

  it('is told as one change', () => {
    const claim = claimRole(roles, 'cart')
    claim.set(['p1', 'p2'])
    const heard = vi.fn()
    const stop = roles.onChange(heard)
    claim.set(['p2', 'p3'])
    stop()
    expect(heard).toHaveBeenCalledTimes(1)
    claim.set([])
  })

  it('is for one role', () => {
    const claim = claimRole(roles, 'checkout')
    claim.set(['p1'])
    expect(cart()).toEqual([])
    claim.set([])
  })
})
