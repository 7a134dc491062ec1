#include "ledger.hpp"

long settle_refund(Balances &balances, const AnyEvent &first, const AnyEvent &second, const AnyEvent &third) {
    return settle<3>(balances, first, second, third);
}
