#include "ledger.hpp"

long settle_transfer(Balances &balances, const AnyEvent &first, const AnyEvent &second, const AnyEvent &third) {
    return settle<4>(balances, first, second, third);
}
