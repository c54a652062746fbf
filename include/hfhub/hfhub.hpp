#pragma once

// Everything. Each header stands alone too.

#include <hfhub/environment.hpp>
#include <hfhub/error.hpp>
#include <hfhub/http_client.hpp>
#include <hfhub/hub/auth.hpp>
#include <hfhub/hub/hf_api.hpp>
#include <hfhub/inference/client.hpp>
#include <hfhub/log.hpp>
#include <hfhub/mode.hpp>
#include <hfhub/result.hpp>
#include <hfhub/session.hpp>
