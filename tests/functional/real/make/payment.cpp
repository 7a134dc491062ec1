#include "ledger.hpp"

long settle_payment(Balances &balances, const AnyEvent &first, const AnyEvent &second, const AnyEvent &third) {
    return settle<2>(balances, first, second, third);
}
